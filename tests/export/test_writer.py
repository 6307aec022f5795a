"""The SavedModel as files: a graph that any machine can run, and what lies beside it."""

import json

import pytest

from textgen.export import write_saved_model


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


def test_card_and_tokenizer_lie_in_assets_extra(exported):
    extra = exported.path / "assets.extra"
    assert {"textgen.json", "tokenizer.json"} <= {file.name for file in extra.iterdir()}
    assert json.loads((extra / "textgen.json").read_text("utf-8"))["validation_loss"] == 1.0


def test_a_folder_that_cannot_be_written_is_an_os_error(exported, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_saved_model(tmp_path / "file" / "1", exported.generator, exported.tokenizer, {})
