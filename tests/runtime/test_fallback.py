import pytest

from textgen.runtime import library

SAME_AS_NATIVE = """
import sys
import numpy as np
from textgen.errors import GenerationError, ModelDamagedError
from textgen.runtime import SavedModel, library

def unavailable(**_):
    raise library.LibraryUnavailableError("not here")

native = SavedModel(sys.argv[1], trusted=True)
library.load = unavailable
fallback = SavedModel(sys.argv[1], trusted=True)
assert "tensorflow" in sys.modules
calls = [
    ("serving_default", {"text": ["é" * 30, ""], "times": 3}),
    ("serving_default", {"text": []}),
    ("scale", {"x": np.ones((2, 3)), "negate": True}),
    ("identity_string", {"x": b"a"}),
    ("identity_float16", {"x": [1, 2]}),
    ("names", {"words": ["upon"], "signature": 3}),
    ("read", {}),
]
for name, inputs in calls:
    ours, theirs = native.run(name, **inputs), fallback.run(name, **inputs)
    assert list(ours) == list(theirs)
    for key in ours:
        assert ours[key].dtype == theirs[key].dtype, (name, key)
        assert ours[key].flags.writeable == theirs[key].flags.writeable, (name, key)
        np.testing.assert_array_equal(ours[key], theirs[key])
state = fallback.run_tensors("start", x=[[1, 2]])
state = fallback.run_tensors("advance", **state)
np.testing.assert_array_equal(state["total"].numpy(), [[2, 4]])
assert state["state"].shape == (1, 2)
# A state moves between the two.
passed = {key: state[key].numpy() for key in ("total", "name")}
mixed = native.run_tensors("start", x=[[5, 5]])
mixed = native.run_tensors("advance", state=mixed["state"], **passed)
np.testing.assert_array_equal(mixed["total"].numpy(), [[7, 9]])
np.testing.assert_array_equal(fallback.run("scale", x=np.ones((1, 3)))["y"], [[-1, -0.5, 0]])
for call in (
    lambda: fallback.run("fail", x=-1),
    lambda: fallback.run("fail", x="a"),
    lambda: state["state"].numpy(),
):
    try:
        call()
    except GenerationError as error:
        print(error)
fallback.close()
try:
    SavedModel(sys.argv[2], trusted=True)
except ModelDamagedError as error:
    print(error)
"""


def test_same_surface_and_results(run_python, toy, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes((toy / "saved_model.pb").read_bytes())
    (broken / "variables").mkdir()
    (broken / "variables" / "variables.index").write_bytes(b"no index")
    (broken / "assets").mkdir()
    (broken / "assets" / "words.txt").write_text("once\nupon\n")
    output, _ = run_python(SAME_AS_NATIVE, toy, broken)
    graph, dtype, opaque, damage = output.splitlines()
    assert graph.startswith("fail failed: ")
    assert "x must be positive" in graph
    assert dtype == "fail.x must be int32. Received: string"
    assert "can only be passed on" in opaque
    assert damage.startswith(f"The SavedModel at {broken} cannot be loaded: ")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (lambda _: None, "not installed"),
        (lambda _: type("Spec", (), {"submodule_search_locations": ["/"]}), "/ has no lib"),
    ],
)
def test_reasons_to_fall_back(monkeypatch, spec, reason):
    monkeypatch.setattr(library, "_loaded", None)
    monkeypatch.setattr(library.importlib.util, "find_spec", spec)
    with pytest.raises(library.LibraryUnavailableError, match=reason):
        library.load()
