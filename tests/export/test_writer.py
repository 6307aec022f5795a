"""The SavedModel as files: a graph that any machine can run, and what lies beside it."""

import json

import pytest

from tests.full_disk import no_file_longer_than
from textgen.catalog import Catalog
from textgen.export import write_saved_model
from textgen.runtime import SavedModel


@pytest.fixture(scope="module")
def tiny(exported_models):
    """One of the models, where the architecture does not matter."""
    return exported_models["lstm"]


def test_no_op_needs_xla_cudnn_or_python(meta_graph):
    functions = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(node for f in functions for node in f.node_def)]
    assert len(nodes) > 100
    foreign = {n.op for n in nodes if any(w in n.op.lower() for w in ("xla", "cudnn", "pyfunc"))}
    assert not foreign
    for holder in (*nodes, *functions):
        assert not holder.attr["_XlaMustCompile"].b


def test_it_holds_only_core_ops(meta_graph):
    # Ops that only the tensorflow wheel has, or only tensorflow-text, have a prefix.
    assert not [op.name for op in meta_graph.meta_info_def.stripped_op_list.op if ">" in op.name]


PLAIN_TENSORFLOW = """
import json, sys
import tensorflow as tf

prompts = tf.constant(["a", ""])
for path in sys.argv[1:]:
    model = tf.saved_model.load(path)
    written = model.signatures["serving_default"](prompts=prompts)
    scored = model.signatures["score"](texts=prompts)
    greedy = model.prune({"prompts": "prompts:0", "temperature": "temperature:0"},
                         {"text": "generate/text:0"})
    greedy = greedy(prompts, tf.constant([0.0]))
    print(json.dumps([
        [reason.decode() for reason in written["finish_reason"].numpy()],
        scored["logprob"].numpy().tolist(),
        [text.decode() for text in greedy["text"].numpy()],
    ]))
assert not [name for name in sys.modules if name.startswith("textgen")]
"""


@pytest.mark.slow
def test_tensorflow_runs_it_where_textgen_was_never_imported(exported_models, run_python):
    paths = [exported.path for exported in exported_models.values()]
    lines = run_python(PLAIN_TENSORFLOW, *paths)[0].splitlines()
    for path, line in zip(paths, lines, strict=True):
        reasons, logprobs, greedy = json.loads(line)
        assert set(reasons) <= {"stop", "length"}
        with SavedModel(path) as model:
            scored = model.run("score", texts=["a", ""])
            written = model.run("generate", prompts=["a", ""], temperature=[0.0])
        assert logprobs == pytest.approx(scored["logprob"].tolist(), rel=1e-4)
        assert greedy == [text.decode() for text in written["text"]]


def test_card_and_tokenizer_lie_in_assets_extra(exported):
    extra = exported.path / "assets.extra"
    assert {"textgen.json", "tokenizer.json"} <= {file.name for file in extra.iterdir()}
    assert json.loads((extra / "textgen.json").read_text("utf-8"))["validation_loss"] == 1.0


def test_a_folder_that_cannot_be_written_is_an_os_error(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_saved_model(tmp_path / "file" / "1", tiny.generator, tiny.tokenizer, {})


# With the larger size, the weights can be written and the graph cannot.
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_full_disk_is_one_sentence(tiny, tmp_path, size):
    with no_file_longer_than(size), pytest.raises(OSError, match="cannot be written") as caught:
        write_saved_model(tmp_path / "1", tiny.generator, tiny.tokenizer, {})
    assert "\n" not in str(caught.value)
    assert "node" not in str(caught.value)


def test_the_same_model_is_the_same_bytes(tiny, tmp_path):
    card = Catalog().find(tiny.path).card
    write_saved_model(tmp_path / "1", tiny.generator, tiny.tokenizer, card)
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        assert (tmp_path / "1" / name).read_bytes() == (tiny.path / name).read_bytes()
