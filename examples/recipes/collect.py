"""Write a collection of recipes to learn from: 400 of them, put together from parts."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

MAINS = [
    *(
        "lentils",
        "chickpeas",
        "white beans",
        "potatoes",
        "carrots",
        "leeks",
        "mushrooms",
        "spinach",
    ),
    *("pumpkin", "cauliflower", "tomatoes", "aubergines", "salmon", "mackerel", "chicken", "lamb"),
    *("rice", "barley", "noodles", "apples", "pears", "plums", "cherries", "rhubarb"),
]
SWEET = {"apples", "pears", "plums", "cherries", "rhubarb"}
SPICES = {
    False: ["thyme", "cumin", "ginger", "smoked paprika", "mustard", "rosemary", "chili", "sage"],
    True: ["cinnamon", "vanilla", "cardamom", "orange zest", "cloves", "honey", "nutmeg"],
}
FATS = {False: ["olive oil", "butter", "sunflower oil"], True: ["butter", "cream"]}
DISHES = {
    False: ["soup", "stew", "salad", "pie", "gratin", "curry"],
    True: ["tart", "cake", "compote", "crumble", "jam"],
}
BEGINNINGS = [
    "Wash the {main} and cut them into pieces the size of a walnut.",
    "Put the {main} into cold water for an hour, then drain them well.",
    "Cut the {main} into thin slices and keep them under a damp cloth.",
    "Set aside a handful of the {main} for the end.",
]
MIDDLES = [
    "Warm the {fat} over a low flame and let the {spice} grow fragrant in it.",
    "Stir in the {spice} with a wooden spoon until everything shines.",
    "Add the {main} and {other}, and turn them until they begin to color.",
    "Pour in {amount} of water, put the lid on, and wait {minutes} minutes.",
    "Let it simmer for {minutes} minutes, and never let it boil.",
    "Bake it in the middle of the oven for {minutes} minutes.",
]
ENDINGS = [
    "Taste it, add a pinch of salt, and bring it to the table while it is hot.",
    "Leave it to cool on the windowsill; it is better on the second day.",
    "Scatter {other} over the top and serve it with dark bread.",
    "It keeps for a week in a cool place, if nobody finds it.",
]


def main() -> None:
    """Write the recipes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("file", type=Path, nargs="?", default=Path("recipes.txt"))
    parser.add_argument("--count", type=int, default=400, help="default: %(default)s")
    args = parser.parse_args()
    draw = random.Random(0)
    recipes = [_recipe(draw) for _ in range(args.count)]
    args.file.write_text("\n\n".join(recipes) + "\n", encoding="utf-8")
    print(f"{args.file}: {args.count} recipes")


def _recipe(draw: random.Random) -> str:
    main = draw.choice(MAINS)
    is_sweet = main in SWEET
    alike = [each for each in MAINS if (each in SWEET) == is_sweet and each != main]
    parts = {
        "main": main,
        "other": draw.choice(alike),
        "spice": draw.choice(SPICES[is_sweet]),
        "fat": draw.choice(FATS[is_sweet]),
        "amount": draw.choice(["a cup", "two cups", "half a liter", "a ladle"]),
        "minutes": str(draw.choice([10, 15, 20, 25, 40, 50])),
    }
    dish = draw.choice(DISHES[is_sweet])
    steps = [
        draw.choice(BEGINNINGS),
        *draw.sample(MIDDLES, draw.choice([2, 3])),
        draw.choice(ENDINGS),
    ]
    lines = [
        f"{main.capitalize()} {dish} with {parts['spice']}",
        f"For {draw.choice(['two', 'four', 'six'])}: {draw.randrange(200, 900, 50)} g of {main}, "
        f"{draw.randrange(50, 300, 50)} g of {parts['other']}, a spoon of {parts['spice']}, "
        f"{parts['fat']}.",
        *(f"{number}. {step.format(**parts)}" for number, step in enumerate(steps, 1)),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
