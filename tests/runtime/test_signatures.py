import numpy as np
import pytest

from textgen.runtime.signatures import TensorSpec, parse_tensor
from textgen.runtime.wire import WireError


def shape(*sizes):
    dims = b"".join(b"\x12\x02\x08" + bytes([size]) for size in sizes)
    return b"\x12" + bytes([len(dims)]) + dims


def test_inputs_and_outputs(model):
    signature = model.signatures["serving_default"]
    assert signature.name == "serving_default"
    assert signature.method_name == "tensorflow/serving/predict"
    assert set(signature.inputs) == {"text", "suffix", "times"}
    text = signature.inputs["text"]
    assert text == TensorSpec("serving_default_text:0", np.dtype(object), (None,))
    assert signature.inputs["times"].dtype == np.int32
    assert signature.inputs["times"].shape == ()
    assert signature.outputs["length"].dtype == np.int32


def test_fixed_open_and_unknown_shapes(model):
    assert model.signatures["scale"].inputs["x"].shape == (None, 3)
    assert model.signatures["identity_int32"].inputs["x"].shape is None


def test_bookkeeping_is_hidden(model):
    assert not [name for name in model.signatures if name.startswith("__")]


def test_defaults(model):
    defaults = model.signatures["scale"].defaults
    assert set(defaults) == {"factor", "bias", "negate"}
    assert defaults["factor"] == np.float32(0.5)
    assert defaults["factor"].dtype == np.float32
    np.testing.assert_array_equal(defaults["bias"], np.full(3, -1, np.int64))
    assert defaults["bias"].dtype == np.int64
    assert defaults["negate"].dtype == np.bool_
    assert model.signatures["serving_default"].defaults["suffix"][()] == "…".encode()


def test_defaults_are_read_only(model):
    with pytest.raises(ValueError, match="read-only"):
        model.signatures["scale"].defaults["bias"][0] = 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\x08\x01" + shape(3) + b"\x2a\x04\x00\x00\x80\x3f", np.ones(3, np.float32)),
        (b"\x08\x03" + shape(2) + b"\x3a\x0b\x02" + b"\xff" * 9 + b"\x01", np.int32([2, -1])),
        (b"\x08\x03" + shape(2) + b"\x38\x02\x38\x03", np.int32([2, 3])),
        (b"\x08\x09" + shape(2), np.zeros(2, np.int64)),
        (b"\x08\x0a" + shape() + b"\x5a\x01\x01", np.bool_(True)),
        (b"\x08\x13" + shape(1) + b"\x6a\x02\x80\x78", np.float16([1])),
        (b"\x08\x08" + shape(1) + b"\x4a\x08" + np.complex64(1 + 2j).tobytes(), [1 + 2j]),
        (b"\x08\x02" + shape(2) + b"\x22\x10" + np.float64([1, 2]).tobytes(), [1.0, 2.0]),
        (b"\x08\x07" + shape(2) + b"\x42\x01a", np.array([b"a", b"a"], object)),
        (b"\x08\x07" + shape(0), np.array([], object)),
    ],
)
def test_tensors(message, expected):
    np.testing.assert_array_equal(parse_tensor(message), expected)


@pytest.mark.parametrize(
    "message",
    [
        b"\x08\x0e" + shape(1),
        b"\x08\x01" + shape(1) + b"\x22\x03abc",
        b"\x08\x01" + shape(1) + b"\x2a\x03abc",
        b"\x08\x03" + shape(1) + b"\x3a\x02\x01\x02",
        b"\x08\x01\x12\x02\x18\x01",
        b"\x08\x01" + shape(127, 127, 127, 127),
    ],
)
def test_damaged_tensors(message):
    with pytest.raises(WireError):
        parse_tensor(message)
