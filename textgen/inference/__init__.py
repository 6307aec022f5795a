"""Generate and score text from Python with an exported model.

The SavedModel holds the tokenizer, the decode loop and the samplers; this package turns
settings into its inputs and its outputs into results.

    with textgen.load("shakespeare") as model:
        print(model.generate("ROMEO:", stop=["."]).text)
        for chunk in model.stream("ROMEO:"):
            print(chunk, end="", flush=True)
        print(model.score("To be, or not to be").bits_per_character)
"""

from textgen.inference.loading import load
from textgen.inference.results import Generation, Score, TokenLogprob
from textgen.inference.stream import TextStream
from textgen.inference.text_generator import TextGenerator

__all__ = ["Generation", "Score", "TextGenerator", "TextStream", "TokenLogprob", "load"]
