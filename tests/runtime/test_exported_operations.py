"""The list of exported operations is exact: no operation is missing, none is superfluous."""

import pytest

from textgen.config import ModelConfig
from textgen.export import write_narrow
from textgen.models.registry import architectures
from textgen.runtime import exported_operations
from textgen.runtime.directory import find_serving_graph
from textgen.runtime.graph import parse_graph
from textgen.runtime.signatures import parse_signatures
from textgen.runtime.wire import as_text, only_message
from textgen.tokenizer import BytePairTokenizer

LISTS = ("SERVED", "RESTORED", "SAVED", "UNUSED")
CORPUS = ["low lower lowest 字字 字😀 é 明月光 😀😀 éé\n"] * 3


@pytest.fixture(scope="module")
def paths(exported_models, export_model, published_model, tmp_path_factory):
    """A SavedModel of every family with every kind of tokenizer; one is pruned and in int8."""
    narrow = tmp_path_factory.mktemp("narrow")
    write_narrow(published_model.path, narrow, "int8", pruned=0.5)
    tokenizer = BytePairTokenizer.learn(CORPUS, vocab_size=290)
    shape = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "context_length": 12}
    return [
        *(exported.path for exported in exported_models.values()),
        published_model.path,
        narrow,
        *(
            export_model(f"{name}-bytes", ModelConfig(name, **shape), tokenizer, seed=2).path
            for name in architectures()
        ),
    ]


def operations_of(path):
    """Return what a SavedModel holds, as the lists have it."""
    meta_graph = find_serving_graph((path / "saved_model.pb").read_bytes())
    graph = parse_graph(only_message(meta_graph, 2))
    saver = only_message(meta_graph, 3)
    save, restore = (as_text(only_message(saver, n)).partition(":")[0] for n in (2, 3))
    outputs = {
        spec.name.partition(":")[0]
        for signature in parse_signatures(meta_graph).values()
        for spec in signature.outputs.values()
    }
    run = {
        "SERVED": graph.dependencies(outputs),
        "RESTORED": graph.dependencies([restore]),
        "SAVED": graph.dependencies([save]),
    }
    run["UNUSED"] = set(graph.nodes).difference(*run.values())
    kinds = {name: {graph.nodes[node].operation for node in nodes} for name, nodes in run.items()}
    kinds["SERVED"] |= graph.function_operations
    kinds["UNUSED"] -= kinds["SERVED"]
    return kinds


def test_the_lists_are_what_models_of_every_kind_hold(paths):
    found = {name: set() for name in LISTS}
    for path in paths:
        for name, operations in operations_of(path).items():
            found[name] |= operations
    listed = {name: set(getattr(exported_operations, name)) for name in LISTS}
    # One model's unused operation may be one that another serves.
    found["UNUSED"] -= found["SERVED"]
    needed = "\n\n".join(f"{name}: {' '.join(sorted(found[name]))}" for name in LISTS)
    assert listed == found, f"exported_operations.py must hold these:\n{needed}"
