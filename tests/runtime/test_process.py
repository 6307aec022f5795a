"""What only shows in a process of its own: imports, start-up, signals, memory."""

import pytest

NO_TENSORFLOW = """
import sys
import textgen.runtime
assert not {"tensorflow", "keras"} & set(sys.modules)
with textgen.runtime.SavedModel(sys.argv[1], trusted=True) as model:
    print(model.run("serving_default", text=["é"])["text"][0].decode())
loaded = [name for name in sys.modules if name.split(".")[0] in {"tensorflow", "keras"}]
assert not loaded, loaded
"""


def test_tensorflow_is_never_imported_and_says_nothing(run_python, toy):
    assert run_python(NO_TENSORFLOW, toy) == ("éé…", "")


OTHER_LINES = """
import os, sys
from textgen.runtime.banner import hidden_banner

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
with hidden_banner():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
    os.write(2, b"I0000 00:00:1795322838.763468    6461 cudart_stub.cc:31] no GPU\\n")
    print("from another thread", file=sys.stderr)
    os.write(2, b"F0000 00:00:1795322838.763468    6461 some.cc:1] fatal\\n")
for level in ("0", "everything"):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = level
    with hidden_banner():
        os.write(2, b"I0000 00:00:1795322838.763468    6461 some.cc:1] asked for\\n")
"""


def test_only_log_lines_are_hidden(run_python):
    _, errors = run_python(OTHER_LINES)
    assert [line.split("]")[-1].strip() for line in errors.splitlines()] == [
        "from another thread",
        "fatal",
        "asked for",
        "asked for",
    ]


FREED_AND_NEEDED_AGAIN = """
import ctypes, resource
from textgen.runtime import library

library.load()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for round in range(10):
    blocks = [libc.malloc(2**23) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, 2**23)
    for block in reversed(blocks):
        libc.free(ctypes.c_void_p(block))
    if not round:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_every_block_of_tokens_needs_is_kept(run_python):
    num_faults, _ = run_python(FREED_AND_NEEDED_AGAIN)
    assert int(num_faults) < 2000  # of 147,456 pages


BOTH = """
import sys
if sys.argv[2] == "before":
    import tensorflow as tf
    tf.constant(1) + 1
from textgen.runtime import SavedModel
model = SavedModel(sys.argv[1], trusted=True)
ours = model.run("serving_default", text=["é" * 30], times=2)["text"]
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
theirs = loaded.signatures["serving_default"](
    text=tf.constant(["é" * 30]), times=tf.constant(2), suffix=tf.constant("…")
)["text"].numpy()
assert ours.tolist() == theirs.tolist()
assert model.run("fail", x=1)["y"] == 1
model.close()
tf.constant(1) + 1
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", ["before", "after"])
def test_tensorflow_in_the_same_process(run_python, toy, order):
    assert run_python(BOTH, toy, order)[0] == "done"


THREADS_AFTERWARDS = """
import os, sys
from pathlib import Path
from textgen.runtime import SavedModel
variables = {name for name in os.environ if name.startswith("TF_")}
SavedModel(sys.argv[1], trusted=True).run("serving_default", text=["a"])
print({name for name in os.environ if name.startswith("TF_")} - variables)
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(3)
tf.function(lambda x: x @ x, jit_compile=True)(tf.ones([9, 9]))
names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
print(names.count("tf_XLAEigen"))
"""


@pytest.mark.slow
def test_what_a_model_needs_is_not_imposed_on_training_or_child_processes(run_python, toy):
    variables, threads = run_python(THREADS_AFTERWARDS, toy)[0].splitlines()
    assert variables == "{'TF_CPP_MIN_LOG_LEVEL'}"
    assert threads == "3"


# What stock TensorFlow Serving does at its start.
WITHOUT_XLA = """
import ctypes, importlib.util, sys
from pathlib import Path
from textgen.errors import GenerationError
from textgen.runtime import SavedModel, library

library.load()
folder = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
core = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
core._ZN10tensorflow21DisableXlaCompilationEv()
with SavedModel(Path(sys.argv[1], "toy"), trusted=True) as model:
    print(model.run("serving_default", text=["a"])["text"][0].decode())
with SavedModel(Path(sys.argv[1], "compiled"), trusted=True) as model:
    try:
        model.run("serving_default", x=[1.0])
    except GenerationError as error:
        print(error)
"""


def test_a_portable_model_runs_with_xla_disabled(run_python, toy_models):
    portable, compiled = run_python(WITHOUT_XLA, toy_models)[0].splitlines()
    assert portable == "aa…"
    assert "XLA compilation disabled" in compiled


def test_a_compiled_model_runs_otherwise(run_python, toy_models):
    code = """
import sys
from textgen.runtime import SavedModel
print(SavedModel(sys.argv[1], trusted=True).run("serving_default", x=[1.0])["y"])
"""
    assert run_python(code, toy_models / "compiled")[0] == "[2.]"


INTERRUPT = """
import signal, sys
from textgen.runtime import SavedModel
model = SavedModel(sys.argv[1], trusted=True)
running = True

def interrupt(signum, frame):
    if running:
        raise KeyboardInterrupt

# Again and again until it is heeded: Python drops an exception that a signal raises while
# an object is being finalized.
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
for _ in range(5):
    try:
        running = True
        while True:
            model.run("spin", steps=2000)
    except KeyboardInterrupt:
        running = False
        print("interrupted")
    assert model.run("spin", steps=3)["steps"] == 3
signal.setitimer(signal.ITIMER_REAL, 0)
model.close()
"""


def test_interrupted_calls_leave_the_model_usable(run_python, toy):
    assert run_python(INTERRUPT, toy)[0].split() == ["interrupted"] * 5


LEAK = """
import gc, resource, sys
from textgen.errors import GenerationError
from textgen.runtime import SavedModel

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def call(model, index):
    text = ["a" * 5000, "b" * (index % 50)]
    model.run("serving_default", text=text, times=1)
    model.run("identity_string", x=text)
    state = model.run_tensors("start", x=[[1, 2]] * 500)
    model.run_tensors("advance", state=state["state"], total=state["total"], name=text)
    # TensorFlow itself loses most of a kilobyte when a function fails in the graph.
    if index % 10 == 0:
        try:
            model.run("fail", x=-1)
        except GenerationError:
            pass

with SavedModel(sys.argv[1], trusted=True) as model:
    for index in range(500):
        call(model, index)
    before = resident()
    for index in range(10_000):
        call(model, index)
    print((resident() - before) // 1024)
for _ in range(20):
    SavedModel(sys.argv[1], trusted=True).close()
before = resident()
for _ in range(100):
    SavedModel(sys.argv[1], trusted=True).close()
print((resident() - before) // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow(run_python, toy):
    runs, loads = map(int, run_python(LEAK, toy)[0].split())
    # One leaked string a call would be 50,000 KiB, one leaked state 40,000.
    assert runs < 4_000
    # A graph left behind by every load would be some 100,000 KiB.
    assert loads < 10_000
