"""Many calls of one model, and several threads."""

import resource
import threading

from textgen.inference import load

_MEGABYTES = 40


def calls(path, count=10_000):
    """Call a model many times; return what is wrong, or `None`.

    The same seeds must return the same texts to the end, and memory must not grow.
    """
    with load(path) as model:
        expected = [_text(model, seed) for seed in range(10)]
        for number in range(count):
            if number == count // 10:
                used = _memory()
            seed = number % 10
            kind = number % 5
            if kind == 0 and _text(model, seed) != expected[seed]:
                return f"call {number} returns another text"
            if kind == 1:
                model.score("a fox")
            elif kind == 2:
                list(model.stream("a", max_new_tokens=4, seed=seed))
            elif kind == 3:
                model.search("a", max_new_tokens=2, num_beams=2)
            elif kind == 4:
                next(iter(model.stream("a", max_new_tokens=40)))  # left before its end
        grown = _memory() - used
    return f"memory grows by {grown:.0f} MB" if grown > _MEGABYTES else None


def threads(path, num_threads=8, count=60):
    """Call a model from several threads; return a list with what is wrong."""
    wrong = []
    with load(path) as model:
        expected = [_text(model, seed) for seed in range(count)]

        def call(first):
            for number in range(count):
                seed = (first * 7 + number) % count
                try:
                    if (text := _text(model, seed)) != expected[seed]:
                        wrong.append(f"seed {seed} returns {text!r}")
                except Exception as error:
                    wrong.append(repr(error))

        started = [threading.Thread(target=call, args=[first]) for first in range(num_threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
    return wrong


def _text(model, seed):
    return model.generate("a", max_new_tokens=8, seed=seed).text


def _memory():
    """Return the most memory that this process has used so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
