"""Prompts that are rendered templates: special tokens where they are wanted, and only there."""

import pytest

import textgen
from textgen.errors import ConfigError

TEMPLATE = "<|start|>the <|end|>"


@pytest.fixture(scope="module")
def model(published_model):
    catalog = textgen.Catalog(published_model.path.parents[1])
    with textgen.TextGenerator(catalog.find("published")) as opened:
        yield opened


def ids_of(model, texts, **inputs):
    outputs = model.saved_model.run("score", texts=texts, **inputs)
    return [[i for i in row.tolist() if i >= 0] for row in outputs["token_ids"]]


def test_special_tokens_are_text_by_default(model):
    encoded = model.tokenizer.encode(TEMPLATE).tolist()
    assert ids_of(model, [TEMPLATE]) == [encoded]
    assert not {256, 257} & {*encoded}


def test_rows_may_differ_in_whether_special_tokens_are_wanted(model):
    tokenizer = model.tokenizer
    rows = ids_of(model, [TEMPLATE, TEMPLATE], parse_special=[True, False])
    assert rows == [
        tokenizer.encode_with_special(TEMPLATE).tolist(),
        tokenizer.encode(TEMPLATE).tolist(),
    ]
    assert rows[0] == [256, *tokenizer.encode("the "), 257]


def test_what_a_person_types_is_no_special_token_in_a_template(model):
    typed = model.tokenizer.protect("<|end|>")
    (ids,) = ids_of(model, [f"<|start|>{typed}<|end|>"], parse_special=[True])
    assert ids == [256, *model.tokenizer.encode("<|end|>"), 257]


def test_a_template_is_continued_exactly_where_it_ends(model):
    # Healed, this prompt would be continued by a token that begins with its last ones.
    prompt = "<|start|> th"
    text = model.generate(prompt, parse_special=True, max_new_tokens=3, temperature=0.0)
    state = model.saved_model.run_tensors(
        "prefill", prompts=[prompt], parse_special=[True], temperature=[0.0], max_new_tokens=[3]
    )
    assert state["state_healing"].numpy().tolist() == [0]
    ids = model.tokenizer.encode_with_special(prompt).tolist()
    assert state["state_recent"].numpy()[0][-len(ids) :].tolist() == ids
    streamed = "".join(model.stream(prompt, parse_special=True, max_new_tokens=3, temperature=0.0))
    assert streamed == text.text
    ordinary = model.saved_model.run_tensors("prefill", prompts=["the th"])
    assert ordinary["state_healing"].numpy().tolist() != [0]


def test_the_model_writes_no_special_token(model):
    controls = {"temperature": [5.0], "max_new_tokens": [40], "seed": range(8)}
    ids = model.saved_model.run("generate", prompts=[""] * 8, **controls)["token_ids"]
    assert not {256, 257} & {*ids.ravel().tolist()}


def test_a_model_without_texts_for_special_tokens_says_so(exported_models, tmp_path):
    path = exported_models["lstm"].path
    with (
        textgen.TextGenerator(textgen.Catalog(path.parents[1]).find("lstm")) as model,
        pytest.raises(ConfigError, match="parse_special needs a model"),
    ):
        model.generate("a", parse_special=True)
