"""Learn what good and bad reviews of a shop say, then classify and generate some."""

import task

from textgen.evaluation import agreement, classify


def main() -> None:
    """Train, then classify."""
    with task.trained(__doc__, "sentiment.csv", label_column="sentiment") as model:
        texts = [
            *classify(
                str(model.entry.path), [str(task.FOLDER / "reviews.csv")], against="sentiment"
            )
        ]
        found = agreement(texts)
        print(
            f"\nOther reviews: {found.accuracy.value:.1%} of {len(texts)} are classified correctly"
        )
        for text in texts[:3]:
            print(f"\n{text.text}\n  {text.label}")
        for label in model.make_prompts.labels:
            written = model.generate("The lamp", label=label, temperature=0.5, seed=1).text
            print(f"\n{label}: The lamp{written}")


if __name__ == "__main__":
    main()
