"""Writing with an exported model, from Python: the SavedModel does all the work.

with textgen.load("shakespeare") as model:
    print(model.generate("ROMEO:", stop=["."]).text)
    for piece in model.stream("ROMEO:"):
        print(piece, end="", flush=True)
    print(model.score("To be, or not to be").bits_per_character)
"""

from textgen.inference.generator import TextGenerator, load
from textgen.inference.records import Generation, Score, TokenLogprob
from textgen.inference.stream import TextStream

__all__ = ["Generation", "Score", "TextGenerator", "TextStream", "TokenLogprob", "load"]
