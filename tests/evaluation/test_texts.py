"""The text that models are measured on."""

from types import SimpleNamespace

import pytest

from textgen.catalog import CHAT_TEMPLATE_PATH, TOKENIZER_PATH
from textgen.evaluation.texts import share_prompts


@pytest.fixture
def make_entry(tmp_path):
    def make(name, template="{{ messages }}", tokenizer="{}", has_prompts=True):
        path = tmp_path / name
        (path / CHAT_TEMPLATE_PATH).parent.mkdir(parents=True)
        (path / CHAT_TEMPLATE_PATH).write_text(template)
        (path / TOKENIZER_PATH).write_text(tokenizer)
        corpus = SimpleNamespace(other={"has_prompts": has_prompts})
        return SimpleNamespace(name=name, path=path, card=SimpleNamespace(corpus=corpus))

    return make


@pytest.mark.parametrize(
    "change", [{"template": "other"}, {"tokenizer": "{ }"}, {"has_prompts": False}]
)
def test_prompts_are_the_same_for_copies_of_one_model_only(make_entry, change):
    entries = [make_entry("mine"), make_entry("mine-int8")]
    assert share_prompts(entries)
    assert share_prompts(entries[:1])
    assert not share_prompts([*entries, make_entry("other", **change)])
