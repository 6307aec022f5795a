"""The SavedModel: what it asks, what it answers, and that any machine can run it."""

import json

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import tensor_util

from textgen.config import SamplingConfig
from textgen.export import write_saved_model
from textgen.runtime import SavedModel

PROMPTS = [
    "a",
    "",
    "é。字😀",
    "never seen: ☃ Ж",
    "abcd " * 12,  # longer than the context
    "\n\n",
    "e\u0301",
]
CONTROLS = [
    {},  # 30 tokens: past the context of 10
    {"n": 75, "seed": 2**40},
    {"temperature": 0.0},
    {"temperature": 0.6, "top_k": 4, "seed": 17},
    {"temperature": 1.5, "top_p": 0.7, "seed": 5},
    {"top_k": 6, "top_p": 0.9, "stop": ["a", "字"], "seed": 9},
    {"n": 1},
    {"n": 0},
]


@pytest.fixture(scope="module")
def model(exported):
    with SavedModel(exported.path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def meta_graph(exported):
    content = (exported.path / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


def ask(model, prompts, n=30, temperature=1.0, top_k=0, top_p=1.0, seed=0, stop=()):
    """The arguments of `Exported.write`, for the SavedModel."""
    return model.run(
        "generate",
        prompts=prompts,
        max_new_tokens=[n],
        temperature=[temperature],
        top_k=[top_k],
        top_p=[top_p],
        seed=np.arange(len(prompts), dtype=np.int64) + seed,
        stop=np.array([list(stop)], object).reshape(1, -1),
    )


# What stock TensorFlow Serving does at its start.
WITHOUT_XLA = """
import ctypes, importlib.util, json, sys
from pathlib import Path
import numpy as np
from textgen.runtime import SavedModel, library

library.load()
folder = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
core = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
core._ZN10tensorflow21DisableXlaCompilationEv()
with SavedModel(sys.argv[1]) as model:
    for inputs in json.load(sys.stdin):
        inputs["stop"] = np.array(inputs["stop"], object).reshape(1, -1)
        result = model.run("generate", **inputs)
        print(json.dumps({
            "text": [text.decode() for text in result["text"]],
            "token_ids": result["token_ids"].tolist(),
            "finish_reason": [reason.decode() for reason in result["finish_reason"]],
        }))
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


def test_without_xla_it_writes_what_the_library_writes(run_python, exported):
    names = {"n": "max_new_tokens"}
    defaults = {"n": 30, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0, "stop": []}
    requests = []
    for controls in CONTROLS:
        values = {**defaults, **controls}
        request = {names.get(name, name): [value] for name, value in values.items()}
        request["seed"] = [values["seed"] + row for row in range(len(PROMPTS))]
        requests.append({"prompts": PROMPTS, **request})
    output, _ = run_python(WITHOUT_XLA, exported.path, stdin=json.dumps(requests))
    answers = [json.loads(line) for line in output.splitlines()]
    assert len(answers) == len(CONTROLS)
    for controls, answer in zip(CONTROLS, answers, strict=True):
        wanted = exported.write(PROMPTS, **controls)
        assert answer["text"] == [text.decode() for text in wanted.text_bytes.numpy()], controls
        assert answer["token_ids"] == wanted.token_ids.numpy().tolist()
        reasons = [reason.decode() for reason in wanted.finish_reason.numpy()]
        assert answer["finish_reason"] == reasons
    # The comparison would say nothing of texts that are all the same.
    assert len(set(answers[0]["text"])) == len(PROMPTS)


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


STRING, INT32, INT64, FLOAT = 7, 3, 9, 1
INPUTS = {
    "prompts": (STRING, 1),
    "max_new_tokens": (INT32, 1),
    "temperature": (FLOAT, 1),
    "top_k": (INT32, 1),
    "top_p": (FLOAT, 1),
    "seed": (INT64, 1),
    "stop": (STRING, 2),
}
OUTPUTS = {
    "text": (STRING, 1),
    "text_bytes": (STRING, 1),
    "token_ids": (INT32, 2),
    "num_tokens": (INT32, 1),
    "finish_reason": (STRING, 1),
}


def test_the_signatures_are_those_documented(meta_graph):
    def types(tensors):
        assert not any(info.tensor_shape.unknown_rank for info in tensors.values())
        # The first dimension is the batch, which is open.
        assert all(info.tensor_shape.dim[0].size == -1 for info in tensors.values())
        return {k: (info.dtype, len(info.tensor_shape.dim)) for k, info in tensors.items()}

    signatures = meta_graph.signature_def
    assert {name for name in signatures if not name.startswith("__")} == {
        "generate",
        "serving_default",
    }
    assert types(signatures["generate"].inputs) == INPUTS
    assert types(signatures["serving_default"].inputs) == {"prompts": INPUTS["prompts"]}
    assert types(signatures["generate"].outputs) == OUTPUTS
    assert types(signatures["serving_default"].outputs) == OUTPUTS


def test_every_input_but_the_prompts_has_a_default(meta_graph):
    defaults = meta_graph.signature_def["generate"].defaults
    values = {name: tensor_util.MakeNdarray(proto) for name, proto in defaults.items()}
    config = SamplingConfig()
    assert set(values) == set(INPUTS) - {"prompts"}
    assert values["stop"].shape == (1, 0)
    assert values["seed"].tolist() == [-1]
    for name in ("max_new_tokens", "temperature", "top_k", "top_p"):
        assert values[name].tolist() == pytest.approx([getattr(config, name)])


def test_defaults_are_taken_for_what_is_left_out(model):
    result = model.run("generate", prompts=["a", "b"], seed=[1, 2])
    assert result["num_tokens"].tolist() == [SamplingConfig().max_new_tokens] * 2
    explicit = ask(model, ["a", "b"], n=200, temperature=0.8, seed=1)
    assert result["text"].tolist() == explicit["text"].tolist()


def test_serving_default_writes_anew_each_time(model):
    first, second = (model.run("serving_default", prompts=["a", "字"]) for _ in range(2))
    assert first["num_tokens"].tolist() == [SamplingConfig().max_new_tokens] * 2
    assert len({*first["text"], *second["text"]}) == 4


def test_a_negative_seed_is_a_fresh_one_a_row_and_a_call(model):
    texts = [*model.run("generate", prompts=["a"] * 3)["text"]]
    texts += [*model.run("generate", prompts=["a"] * 3, seed=[-7])["text"]]
    assert len(set(texts)) == 6


def test_a_seed_is_kept_beside_negative_ones(model):
    fixed, fresh = model.run("generate", prompts=["a"] * 2, seed=[3, -1])["text"]
    again, other = model.run("generate", prompts=["a"] * 2, seed=[3, -1])["text"]
    assert fixed == again
    assert len({fixed, fresh, other}) == 3


def test_one_seed_for_all_rows(model):
    texts = model.run("generate", prompts=["a"] * 2, seed=[4])["text"]
    assert texts[0] == texts[1] == ask(model, ["a"], n=200, temperature=0.8, seed=4)["text"][0]


def test_a_batch_is_its_rows(model):
    together = ask(model, PROMPTS, n=25, top_k=7, stop=["。"])
    for row, prompt in enumerate(PROMPTS):
        alone = ask(model, [prompt], n=25, top_k=7, stop=["。"], seed=row)
        for name in ("text", "text_bytes", "num_tokens", "finish_reason"):
            assert alone[name][0] == together[name][row]
        count = alone["num_tokens"][0]
        assert alone["token_ids"][0, :count].tolist() == together["token_ids"][row, :count].tolist()


def test_every_row_has_controls_of_its_own(model):
    controls = {
        "max_new_tokens": [5, 20, 12],
        "temperature": [0.0, 1.0, 2.0],
        "top_k": [0, 3, 0],
        "top_p": [1.0, 1.0, 0.5],
        "seed": [1, 2, 3],
        "stop": [["", ""], ["a", ""], ["字", "b"]],
    }
    together = model.run("generate", prompts=["a", "b", ""], **controls)["text"].tolist()
    for row, prompt in enumerate(["a", "b", ""]):
        own = {name: [values[row]] for name, values in controls.items()}
        assert model.run("generate", prompts=[prompt], **own)["text"].tolist() == [together[row]]


@pytest.mark.parametrize("temperature", [np.inf, np.nan, -1.0, 3e38, 1e-45])
def test_a_temperature_out_of_range_is_clamped_in_its_own_row(model, temperature):
    result = model.run(
        "generate", prompts=["a"] * 8, temperature=[1.0] + [temperature] * 7, seed=range(8)
    )
    assert (
        result["text"][0]
        == model.run("generate", prompts=["a"], temperature=[1.0], seed=[0])["text"].item()
    )
    # Special tokens stay banned.
    assert result["token_ids"].min() >= 3
    drawn = len(set(result["text"][1:]))
    assert drawn == (7 if temperature > 1 else 1)


@pytest.mark.parametrize("signature", ["serving_default", "generate"])
def test_an_empty_batch_is_answered(model, signature):
    result = model.run(signature, prompts=[])
    assert {name: value.shape[0] for name, value in result.items()} == dict.fromkeys(OUTPUTS, 0)


def test_prompts_that_are_no_utf8_are_answered(model):
    prompts = [b"\xff\xfe", b"a\xe5\xad", b"\x00", b"\xed\xa0\x80"]
    result = ask(model, prompts, n=8)
    assert result["num_tokens"].tolist() == [8] * 4
    # Each invalid byte is read as U+FFFD, which the model has not seen either.
    assert result["text"][0] == ask(model, ["\ufffd\ufffd"], n=8)["text"][0]


def test_every_output_has_one_row_a_prompt(model):
    result = ask(model, ["a", "b", "c"], n=11)
    assert {name: value.shape for name, value in result.items()} == {
        **dict.fromkeys(OUTPUTS, (3,)),
        "token_ids": (3, 11),
    }


def test_text_is_valid_utf8_even_where_a_stop_string_is_not(model):
    # A stop string may be any bytes, here the last of "字".
    result = ask(model, ["a"] * 4, n=60, stop=[b"\x97", b"\x80"])
    for text, text_bytes in zip(result["text"], result["text_bytes"], strict=True):
        assert text.decode("utf-8") == text_bytes.decode("utf-8", errors="replace")
    assert set(result["finish_reason"]) <= {b"stop", b"length"}


def test_card_and_tokenizer_lie_in_assets_extra(exported):
    extra = exported.path / "assets.extra"
    assert {file.name for file in extra.iterdir()} == {"textgen.json", "tokenizer.json"}
    assert json.loads((extra / "textgen.json").read_text("utf-8"))["validation_loss"] == 1.0


def test_a_folder_that_cannot_be_written_is_an_os_error(exported, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_saved_model(tmp_path / "file" / "1", exported.generator, exported.tokenizer, {})
