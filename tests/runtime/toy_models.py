"""Writes the SavedModels that the runtime's tests load.

Run as a script, in a process of its own: `python toy_models.py FOLDER`. The tests' own
process stays free of tensorflow.
"""

import sys
from pathlib import Path

import tensorflow as tf

NUMBERS = [
    "bool",
    "complex64",
    "complex128",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


# Eager tensors as default values are what tf.saved_model.save writes down.
SUFFIX, TIMES = tf.constant("…"), tf.constant(2)
FACTOR, NEGATE = tf.constant(0.5), tf.constant(False)
BIAS = tf.constant([-1, -1, -1], tf.int64)


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


def identity(dtype):
    @tf.function(input_signature=[spec(None, dtype, "x")])
    def signature(x):
        return {"y": tf.identity(x)}

    return signature


def write_toy(folder):
    module = tf.Module()
    module.weights = tf.Variable(tf.range(3, dtype=tf.float32), name="weights")
    words = folder.parent / "words.txt"
    words.write_text("once\nupon\n")
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(words),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )

    @tf.function(
        input_signature=[
            spec([None], tf.string, "text"),
            spec([], tf.string, "suffix"),
            spec([], tf.int32, "times"),
        ]
    )
    def repeat(text, suffix=SUFFIX, times=TIMES):
        def add(index, repeated):
            return index + 1, tf.strings.join([repeated, text])

        _, repeated = tf.while_loop(
            lambda index, _: index < times, add, (0, tf.fill(tf.shape(text), ""))
        )
        joined = tf.strings.join([repeated, suffix])
        return {"text": joined, "length": tf.strings.length(joined)}

    @tf.function(
        input_signature=[
            spec([None, 3], tf.float32, "x"),
            spec([], tf.float32, "factor"),
            spec([3], tf.int64, "bias"),
            spec([], tf.bool, "negate"),
        ]
    )
    def scale(x, factor=FACTOR, bias=BIAS, negate=NEGATE):
        y = x * factor * module.weights + tf.cast(bias, tf.float32)
        return {"y": tf.where(negate, -y, y)}

    @tf.function(input_signature=[spec([None, 2], tf.float32, "x")])
    def start(x):
        return {"state": tf.cast(x, tf.bfloat16), "total": x, "name": tf.fill([1], "a" * 40)}

    @tf.function(
        input_signature=[
            spec([None, 2], tf.bfloat16, "state"),
            spec([None, 2], tf.float32, "total"),
            spec([None], tf.string, "name"),
        ]
    )
    def advance(state, total, name):
        return {"state": state + 1, "total": total + tf.cast(state, tf.float32), "name": name}

    @tf.function(input_signature=[spec([], tf.int32, "x")])
    def fail(x):
        with tf.control_dependencies([tf.debugging.Assert(x > 0, ["x must be positive", x])]):
            return {"y": tf.identity(x)}

    @tf.function(input_signature=[spec([], tf.int32, "steps")])
    def spin(steps):
        def step(index, x):
            return index + 1, tf.tanh(tf.matmul(x, x))

        index, _ = tf.while_loop(lambda index, _: index < steps, step, (0, tf.eye(32)))
        return {"steps": index}

    @tf.function(
        input_signature=[spec([None], tf.string, "words"), spec([], tf.int32, "signature")]
    )
    def names(words, signature):
        return {"ids": module.table.lookup(words), "signature": signature}

    @tf.function(input_signature=[])
    def read():
        return {"weights": module.weights.read_value()}

    signatures = {f"identity_{dtype}": identity(dtype) for dtype in [*NUMBERS, "string"]}
    signatures |= {
        "serving_default": repeat,
        "scale": scale,
        "start": start,
        "advance": advance,
        "fail": fail,
        "spin": spin,
        "names": names,
        "read": read,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def write_compiled(folder):
    module = tf.Module()

    @tf.function(jit_compile=True)
    def double(x):
        return 2 * x

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def signature(x):
        return {"y": double(x)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write_toy(root / "toy")
    write_compiled(root / "compiled")
