"""Learn to summarize weather reports, then summarize reports that were not trained on."""

import task

HELD_OUT = 40


def main() -> None:
    """Train, then summarize."""
    pairs = [(row["report"], row["summary"]) for row in task.rows("summaries.jsonl")]
    settings = {
        "prompt_column": "report",
        "text_column": "summary",
        "validation_split": HELD_OUT / len(pairs),
    }
    with task.trained(__doc__, "summaries.jsonl", **settings) as model:
        task.score(model, "Reports as learned", pairs[:HELD_OUT], shown=1)
        # Validation gets about as many rows as asked for; the last 35 are among them.
        task.score(model, "Other reports", pairs[-HELD_OUT + 5 :])


if __name__ == "__main__":
    main()
