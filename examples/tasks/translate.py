"""Learn to translate 50 phrases for travelers into German, then translate them."""

import csv

import task

# Each is a new phrase, of words and articles that the table has.
NEW = [
    ("where is the bread?", "wo ist das Brot?"),
    ("where is the soup?", "wo ist die Suppe?"),
    ("where is the shop?", "wo ist das Geschäft?"),
    ("where is the train?", "wo ist der Zug?"),
    ("today is Sunday", "heute ist Sonntag"),
    ("tomorrow is Monday", "morgen ist Montag"),
    ("tomorrow is Friday", "morgen ist Freitag"),
    ("the soup is fresh", "die Suppe ist frisch"),
    ("the bread is hot", "das Brot ist heiß"),
    ("the hotel is closed", "das Hotel ist geschlossen"),
    ("the museum is open", "das Museum ist geöffnet"),
    ("the bakery is closed", "die Bäckerei ist geschlossen"),
]


def main() -> None:
    """Train, then translate."""
    with (task.FOLDER / "phrases.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(row["english"], row["german"]) for row in csv.DictReader(file)]
    columns = {"prompt_column": "english", "text_column": "german"}
    with task.trained(__doc__, "phrases.csv", **columns) as model:
        task.score(model, "Phrases as learned", pairs)
        task.score(model, "New phrases of known words", NEW, shown=2)


if __name__ == "__main__":
    main()
