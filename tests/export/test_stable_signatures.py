"""Signatures keep every name, dtype, shape and default that clients rely on.

`signatures.tsv` was written from the first release. Tensors may be added to the signatures; a
line of the file is never changed or removed.
"""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.python.framework import tensor_util

LINES = (Path(__file__).parent / "signatures.tsv").read_text("utf-8").splitlines()
PROMISES = [line.split("\t") for line in LINES]


def promised(architecture):
    return {
        (signature, side, name): (dtype, json.loads(shape), json.loads(default))
        for model, signature, side, name, dtype, shape, default in PROMISES
        if model == architecture
    }


def kept(meta_graph):
    for key, signature in meta_graph.signature_def.items():
        for side in ("inputs", "outputs"):
            for name, info in getattr(signature, side).items():
                dtype = tf.dtypes.as_dtype(info.dtype).name
                shape = [dimension.size for dimension in info.tensor_shape.dim]
                default = None
                if side == "inputs" and name in signature.defaults:
                    default = text(tensor_util.MakeNdarray(signature.defaults[name]).tolist())
                yield (key, side, name), (dtype, shape, default)


def text(value):
    if isinstance(value, list):
        return [text(element) for element in value]
    return value.decode() if isinstance(value, bytes) else value


def test_signatures_keep_what_earlier_exports_had(exported, meta_graph):
    expected = promised(exported.path.parent.name)
    found = dict(kept(meta_graph))
    assert expected
    assert {key: found.get(key) for key in expected} == expected


def test_inputs_that_were_added_since_have_a_default(exported, meta_graph):
    expected = promised(exported.path.parent.name)
    released = {key for key, _, _ in expected}
    without = {
        (key, name)
        for (key, side, name), (_, _, default) in kept(meta_graph)
        if side == "inputs"
        and default is None
        and (key, side, name) not in expected
        and key in released
    }
    if {key for key, _ in without} - {"decode"}:
        pytest.fail(f"added without a default: {sorted(without)}")
