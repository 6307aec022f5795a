"""Learn from English and Chinese poems, then compose new ones."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

import textgen

HERE = Path(__file__).parent


class Narrator(textgen.Reporter):
    """Prints how far training is."""

    def validation(self, validation: textgen.Validation) -> None:
        """Print one line for each validation."""
        print(f"step {validation.step}: {validation.bits_per_character:.2f} bits/character")


def learn(
    language: str, documents: str, model: textgen.ModelConfig, steps: int, models_dir: str
) -> textgen.TextGenerator:
    """Train on `<language>.txt`, print the size of the corpus, and return the model."""
    print(f"\n== {language} ==")
    config = textgen.RunConfig(
        corpus=textgen.CorpusConfig(split_documents=documents),
        model=model,
        training=textgen.TrainingConfig(max_steps=steps),
    )
    name = f"poems-{language}"
    textgen.train([HERE / f"{language}.txt"], name, config, models_dir, reporter=Narrator())
    generator = textgen.load(name, models_dir)
    corpus = generator.card.corpus
    print(f"Corpus: {corpus.num_documents} poems, {corpus.num_characters} characters")
    return generator


def show(title: str, generation: textgen.Generation) -> None:
    """Print a text and how it ended."""
    end = {"stop": "complete", "length": "cut off at the limit"}
    reason = generation.finish_reason
    print(f"\n{title}:\n{generation.prompt}{generation.text}\n[{reason}] {end[reason]}")


def main() -> None:
    """Train one model for each language, then compose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="optimizer steps (%(default)s)")
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--models-dir", help="where the models are kept (a temporary folder)")
    parser.add_argument(
        "--prompt", default="明月", help="how the Chinese poems begin (%(default)s)"
    )
    parser.add_argument("--language", choices=["english", "chinese"], help="only this one")
    args = parser.parse_args()

    with contextlib.ExitStack() as stack:
        models_dir = args.models_dir or stack.enter_context(tempfile.TemporaryDirectory())

        if args.language != "english":
            # Poems of one length, line for line: an LSTM learns to count sooner.
            shape = textgen.ModelConfig.of_size("lstm", "tiny", dropout=0.3)
            model = stack.enter_context(learn("chinese", "line", shape, args.steps, models_dir))
            unknown = model.unknown_characters(args.prompt)
            if unknown:
                print(f"Not in the corpus: {' '.join(unknown)}")
            options = {"temperature": 0.5, "max_new_tokens": 60}
            for seed in range(3):
                couplet = model.generate(args.prompt, stop=["。"], seed=seed, **options)
                show("A couplet, up to the first 。", couplet)
            for seed in range(3):
                show("A quatrain", model.generate(args.prompt, seed=seed, **options))

        if args.language != "chinese":
            shape = textgen.ModelConfig.of_size("transformer", args.size)
            model = stack.enter_context(
                learn("english", "blank-line", shape, args.steps, models_dir)
            )
            for seed in range(2):
                poem = model.generate(temperature=0.6, max_new_tokens=1000, seed=seed)
                show("A poem", poem)


if __name__ == "__main__":
    main()
