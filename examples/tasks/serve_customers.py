"""Learn the dialogues of a helpdesk, then talk as a customer would."""

import task

from textgen.inference.dialogue import Chat

CUSTOMER = ["I want to return an umbrella.", "Red.", "Yes, please."]


def main() -> None:
    """Train, then talk to the model."""
    with task.trained(__doc__, "service.jsonl", context_length=384) as model, Chat(model) as chat:
        messages = [{"role": "system", "content": "You are the helpdesk of a small shop."}]
        for said in CUSTOMER:
            messages.append({"role": "user", "content": said})
            answer = "".join(chat.answer(messages, temperature=0.0, max_new_tokens=120))
            messages.append({"role": "assistant", "content": answer})
            print(f"\n> {said}\n{answer}")
        right = total = 0
        for row in task.rows("service.jsonl")[:10]:
            *before, true = row["messages"]
            answer = "".join(chat.answer(before, temperature=0.0, max_new_tokens=60))
            right += answer == true["content"]
            total += 1
        print(f"\nLast answers as learned: {right} of {total} exactly ({right / total:.1%})")


if __name__ == "__main__":
    main()
