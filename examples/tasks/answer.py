"""Memorize 200 questions and answers, then answer them, also when they are reworded."""

import task


def main() -> None:
    """Train, then answer."""
    pairs = [(row["question"], row["answer"]) for row in task.rows("questions.jsonl")]
    reworded = [
        (question.replace("What is", "Tell me").replace("?", "."), answer)
        for question, answer in pairs
        if question.startswith("What is")
    ]
    columns = {"prompt_column": "question", "text_column": "answer"}
    with task.trained(__doc__, "questions.jsonl", **columns) as model:
        task.score(model, "Questions as learned", pairs)
        task.score(model, "Questions in other words", reworded)


if __name__ == "__main__":
    main()
