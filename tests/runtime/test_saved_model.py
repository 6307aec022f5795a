import threading
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from textgen.errors import ConfigError, GenerationError
from textgen.runtime import SavedModel, Tensor

NUMBERS = [np.dtype(kind) for kind in "?FDefdbhilBHIL"]


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_numbers_round_trip(model, data):
    dtype = data.draw(st.sampled_from(NUMBERS))
    shape = data.draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    array = data.draw(npst.arrays(dtype, shape))
    result = model.run(f"identity_{dtype.name}", x=array)["y"]
    assert result.dtype == array.dtype
    assert result.shape == array.shape
    assert result.tobytes() == array.tobytes()


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_strings_round_trip(model, data):
    shape = data.draw(npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    values = st.binary(max_size=60) | st.text(max_size=30)
    array = data.draw(npst.arrays(object, shape, elements=values))
    result = model.run("identity_string", x=array)["y"]
    encoded = [s.encode() if isinstance(s, str) else s for s in array.ravel().tolist()]
    assert result.dtype == object
    assert result.shape == shape
    assert result.ravel().tolist() == encoded


@pytest.mark.parametrize("size", [0, 1, 21, 22, 23, 24, 63, 64, 1_000_000])
def test_strings_of_every_layout(model, size):
    text = b"\0z" * (size // 2) + b"z" * (size % 2)
    assert model.run("identity_string", x=text)["y"][()] == text


def test_layout_in_memory_does_not_matter(model):
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    for view in (array.T, array[::-1, ::2], np.asfortranarray(array), array.astype(">i4")):
        np.testing.assert_array_equal(model.run("identity_int32", x=view)["y"], view)


def test_text_in_and_out(model):
    result = model.run("serving_default", text=["Es war einmal ", "", "从前"], times=3)
    expected = ["Es war einmal " * 3 + "…", "…", "从前" * 3 + "…"]
    assert [text.decode() for text in result["text"]] == expected
    np.testing.assert_array_equal(result["length"], [len(text.encode()) for text in expected])


@pytest.mark.parametrize("text", [["é", b"b"], np.array(["é", "b"]), np.array(["é", "b"], object)])
def test_text_in_any_form(model, text):
    result = model.run("serving_default", text=text, suffix="", times=1)
    assert list(result["text"]) == ["é".encode(), b"b"]


def test_empty_batch(model):
    result = model.run("serving_default", text=[])
    assert result["text"].shape == (0,)
    assert model.run("scale", x=np.empty((0, 3)))["y"].shape == (0, 3)


def test_missing_inputs_take_their_defaults(model):
    x = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(model.run("scale", x=x)["y"], [[-1, -0.5, 0]])
    np.testing.assert_allclose(model.run("scale", x=x, bias=[0, 0, 0])["y"], [[0, 0.5, 1]])
    np.testing.assert_allclose(model.run("scale", x=x, negate=True)["y"], [[1, 0.5, 0]])


def test_inputs_may_have_any_name(model):
    result = model.run("names", words=["upon", "a"], signature=7)
    np.testing.assert_array_equal(result["ids"], [1, -1])
    assert result["signature"] == 7


def test_signature_without_inputs(model):
    np.testing.assert_array_equal(model.run("read")["weights"], [0, 1, 2])


def test_numbers_are_views_that_cannot_harm_the_model(model):
    weights = model.run("read")["weights"]
    assert not weights.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 1


def test_results_outlive_the_model(toy):
    with SavedModel(toy, trusted=True) as short_lived:
        result = short_lived.run("scale", x=np.ones((1000, 3)))["y"]
        state = short_lived.run_tensors("start", x=[[1, 2]])
    del short_lived
    np.testing.assert_allclose(result[-1], [-1, -0.5, 0])
    np.testing.assert_array_equal(state["total"].numpy(), [[1, 2]])
    assert list(state["name"].numpy()) == [b"a" * 40]


def test_state_goes_back_as_handles(model):
    state = model.run_tensors("start", x=[[1, 2]])
    assert all(isinstance(tensor, Tensor) for tensor in state.values())
    for _ in range(3):
        state = model.run_tensors("advance", **state)
    np.testing.assert_array_equal(state["total"].numpy(), [[1 + 1 + 2 + 3, 2 + 2 + 3 + 4]])
    assert list(state["name"].numpy()) == [b"a" * 40]
    assert state["state"].shape == (1, 2)
    with pytest.raises(GenerationError, match="can only be passed on"):
        state["state"].numpy()


def test_a_handle_does_not_change_when_it_is_passed_on(model):
    state = model.run_tensors("start", x=[[1, 2]])
    first = model.run_tensors("advance", **state)
    second = model.run_tensors("advance", **state)
    np.testing.assert_array_equal(first["total"].numpy(), second["total"].numpy())
    np.testing.assert_array_equal(state["total"].numpy(), [[1, 2]])


def test_handles_describe_themselves(model):
    state = model.run_tensors("start", x=[[1, 2]])
    assert repr(state["total"]) == "Tensor(dtype=float32, shape=(1, 2))"
    assert repr(state["name"]) == "Tensor(dtype=string, shape=(1,))"


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("nope", {}, "signature must be one of: .*serving_default.* Received: nope"),
        ("scale", {"x": [[1, 2, 3]], "y": 1}, "inputs of scale must be among: .* Received: y"),
        ("scale", {}, "scale.x must be given: it has no default"),
        ("scale", {"x": [1, 2, 3]}, r"scale.x must have shape \(\?, 3\).* shape \(3\)"),
        ("scale", {"x": [[1, 2]]}, r"scale.x must have shape \(\?, 3\).* shape \(1, 2\)"),
        ("scale", {"x": [[1], [1, 2]]}, "scale.x must be an array of float32"),
        ("scale", {"x": [["a"] * 3]}, "scale.x must be float32. Received: string"),
        ("scale", {"x": [[1e300] * 3]}, "scale.x must fit into float32"),
        ("scale", {"x": [[1j] * 3]}, "scale.x must be float32. Received: complex128"),
        ("scale", {"x": [[1, 2, None]]}, "scale.x must be float32. Received: object"),
        ("scale", {"x": [[1, 2, 3]], "negate": 1}, "scale.negate must be bool. Received: int64"),
        ("fail", {"x": 1.0}, "fail.x must be int32. Received: float64"),
        ("fail", {"x": 2**31}, "fail.x must lie between -2147483648 and 2147483647"),
        ("fail", {"x": 2**70}, "fail.x must be int32. Received: object"),
        ("identity_uint8", {"x": [-1, 3]}, "x must lie between 0 and 255. Received: -1 to 3"),
        ("serving_default", {"text": "a"}, r"text must have shape \(\?\). Received: shape \(\)"),
        ("serving_default", {"text": [1]}, "text must be string. Received: int"),
        ("serving_default", {"text": ["\ud800"]}, "text must be text that UTF-8 can encode"),
        ("serving_default", {"text": [["a"], ["b", "c"]]}, "rows of equal length"),
        (
            "advance",
            {"state": [[1, 2]], "total": [[1, 2]], "name": ["a"]},
            "advance.state must be a tensor that a model returned. Received: list",
        ),
    ],
)
def test_wrong_inputs(model, signature, inputs, message):
    with pytest.raises(GenerationError, match=message):
        model.run(signature, **inputs)


def test_handles_are_checked_too(model):
    state = model.run_tensors("start", x=[[1, 2]])
    with pytest.raises(GenerationError, match=r"total must be float32. Received: string"):
        model.run("advance", **{**state, "total": state["name"]})
    with pytest.raises(GenerationError, match=r"must have shape \(\?, 3\)"):
        model.run("scale", x=state["total"])


def test_numbers_are_cast_where_nothing_is_lost(model):
    assert model.run("identity_int8", x=np.int64(-128))["y"].dtype == np.int8
    assert model.run("identity_float16", x=[1, 2])["y"].dtype == np.float16
    assert model.run("identity_int32", x=True)["y"] == 1
    assert np.isposinf(model.run("identity_float32", x=np.inf)["y"])


def test_errors_of_the_graph(model):
    with pytest.raises(GenerationError, match=r"^fail failed: .*x must be positive") as caught:
        model.run("fail", x=-3)
    assert "\n" not in str(caught.value)
    assert model.run("fail", x=3)["y"] == 3


def test_closed_model(toy):
    closed = SavedModel(toy, trusted=True)
    closed.close()
    closed.close()
    with pytest.raises(GenerationError, match="must be open"):
        closed.run("read")


@pytest.mark.parametrize("threads", [{"inter_op_threads": 0}, {"intra_op_threads": 128}])
def test_numbers_of_threads(toy, threads):
    with pytest.raises(ConfigError, match="must be from 1 to 127"):
        SavedModel(toy, trusted=True, **threads)


def test_more_threads_give_the_same(toy, model):
    with SavedModel(toy, trusted=True, inter_op_threads=2, intra_op_threads=2) as threaded:
        inputs = {"text": ["a", "bc"], "times": 40}
        ours, theirs = (m.run("serving_default", **inputs) for m in (model, threaded))
        np.testing.assert_array_equal(ours["text"], theirs["text"])


def test_two_models_at_a_time(toy):
    with SavedModel(toy, trusted=True) as first, SavedModel(toy, trusted=True) as second:
        state = first.run_tensors("start", x=[[1, 2]])
        state = second.run_tensors("advance", **state)
        np.testing.assert_array_equal(state["total"].numpy(), [[2, 4]])


def test_many_threads_share_a_model(model):
    failures = []

    def work(number):
        for turn in range(100):
            text = f"{number}:{turn}:" * (number + 1)
            result = model.run("serving_default", text=[text], suffix="", times=turn % 5)
            if result["text"][0].decode() != text * (turn % 5):
                failures.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_close_lets_running_calls_finish(toy):
    busy = SavedModel(toy, trusted=True)
    results = []
    started = threading.Event()

    def work():
        started.set()
        results.append(busy.run("spin", steps=20_000)["steps"])

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    busy.close()
    thread.join()
    # The call was let finish, or came after the model was closed; in no case a crash.
    assert not results or results == [20_000]


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: types.SimpleNamespace(dtype=tensor.dtype, shape=(1, *tensor.shape[1:])),
        lambda tensor: types.SimpleNamespace(dtype=tensor.dtype, shape=(2, 4)),
        lambda tensor: types.SimpleNamespace(dtype=np.dtype(np.int32), shape=tensor.shape),
    ],
    ids=["rows", "shape", "type"],
)
def test_outputs_that_are_not_as_the_signature_says_are_an_error(model, monkeypatch, change):
    run = model._backend.run

    def changed(signature, inputs):
        return {name: change(tensor) for name, tensor in run(signature, inputs).items()}

    monkeypatch.setattr(model._backend, "run", changed)
    with pytest.raises(GenerationError, match=r"scale\.y must be as its signature says"):
        model.run_tensors("scale", x=np.ones((2, 3), np.float32))
