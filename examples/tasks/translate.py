"""Learn to translate 50 phrases for travelers into German, then translate them."""

import csv

import task


def main() -> None:
    """Train, then translate."""
    with (task.FOLDER / "phrases.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(row["english"], row["german"]) for row in csv.DictReader(file)]
    columns = {"prompt_column": "english", "text_column": "german"}
    others = [("where is the bread?", "wo ist das Brot?"), ("today is Sunday", "heute ist Sonntag")]
    with task.trained(__doc__, "phrases.csv", **columns) as model:
        task.score(model, "Phrases as learned", pairs)
        task.score(model, "New phrases of known words", others, shown=2)


if __name__ == "__main__":
    main()
