"""Writing with an exported model from Python."""

import dataclasses
import json
import math
import shutil

import pytest

from textgen.catalog import CARD_PATH, TOKENIZER_PATH, Catalog
from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.errors import ConfigError, ModelDamagedError, ModelNotFoundError, TokenizerError
from textgen.inference import load

PROMPTS = ["a", "", "é。字😀", "☃ never seen", "abcd " * 12]


@pytest.fixture
def copy(exported_models, tmp_path):
    """A SavedModel's folder to damage."""
    path = tmp_path / "saved_models" / "mine" / "1"
    return shutil.copytree(exported_models["lstm"].path, path)


def test_a_batch_s_rows_can_be_had_again_alone(model):
    config = SamplingConfig(max_new_tokens=25, temperature=1.0, seed=11, stop=("。",))
    together = model.generate_batch(PROMPTS, config)
    assert [row.seed for row in together] == [11, 12, 13, 14, 15]
    assert len({row.text for row in together}) == len(PROMPTS)
    for row in together:
        values = {**config.to_dict(), "seed": row.seed}
        assert model.generate(row.prompt, **values) == row


def test_the_parts_of_a_large_batch_are_put_together_in_order(model, monkeypatch):
    prompts = [PROMPTS[index % len(PROMPTS)] for index in range(21)]
    settings = {"seed": 5, "temperature": 1.0, "stop": ("。",), "logprobs": 2}
    calls = []
    run = model.saved_model.run
    monkeypatch.setattr(model.saved_model, "run", lambda *a, **k: calls.append(a) or run(*a, **k))
    for num_cores, num_calls in ((1, 1), (3, 2)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=num_cores: set(range(n)))
        calls.clear()
        rows = model.generate_batch(prompts, max_new_tokens=30, **settings)
        assert len(calls) == num_calls
        assert [row.seed for row in rows] == list(range(5, 26))
        for row, prompt in zip(rows[::7], prompts[::7], strict=True):
            alone = model.generate(prompt, max_new_tokens=30, **{**settings, "seed": row.seed})
            assert alone.text == row.text
            assert len(row.logprobs) == row.num_tokens


def test_it_writes_what_the_library_writes(model, exported):
    rows = model.generate_batch(PROMPTS, SamplingConfig(max_new_tokens=30, temperature=1.0, seed=3))
    wanted = exported.write(PROMPTS, seed=3)
    assert [row.text.encode() for row in rows] == wanted.text_bytes.numpy().tolist()
    assert [row.num_tokens for row in rows] == wanted.num_tokens.numpy().tolist()
    assert {row.finish_reason for row in rows} == {"length"}


def test_without_a_seed_every_text_is_new_and_tells_its_seed(any_model):
    first, second = any_model.generate("a"), any_model.generate("a")
    assert first.text != second.text
    assert any_model.generate("a", seed=first.seed) == first


def test_the_largest_seed_wraps_around(any_model):
    config = SamplingConfig(max_new_tokens=4, seed=2**63 - 1)
    rows = any_model.generate_batch(["a", "a"], config)
    assert [row.seed for row in rows] == [2**63 - 1, 0]
    assert any_model.generate("a", max_new_tokens=4, seed=0) == rows[1]


def test_no_prompts_no_texts(any_model):
    assert any_model.generate_batch([]) == []


def test_a_text_ends_with_its_stop_string(any_model):
    free = any_model.generate("a", seed=1, max_new_tokens=60)
    stop = free.text[5:7]
    stopped = any_model.generate("a", seed=1, max_new_tokens=60, stop=["nowhere", stop])
    assert stopped.text == free.text[: free.text.index(stop) + len(stop)]
    assert stopped.finish_reason == "stop"
    assert stopped.num_tokens == len(stopped.text)


def test_prompts_are_cleaned_as_the_corpus_was(any_model):
    # The card says: lower case, composed forms.
    decomposed = any_model.generate("ABE\u0301", seed=5)
    assert decomposed.prompt == "abé"
    assert decomposed == any_model.generate("abé", seed=5)


@pytest.mark.parametrize("text", ["\ufeffAB\r\nC", "ab\rc", "AB\nc"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(any_model, text):
    wanted = any_model.generate("ab\nc", seed=5)
    assert any_model.generate(text, seed=5) == wanted
    assert "".join(any_model.stream(text, seed=5)) == wanted.text
    assert any_model.score(text).text == "ab\nc"
    assert any_model.unknown_characters(text) == []


def test_the_texts_of_controls_are_cleaned_as_the_corpus_was(any_model):
    plain = {"stop": ["b\n"], "banned": ["c"], "logit_bias": {"é": 3.0}}
    other = {"stop": ["B\r\n"], "banned": ["C"], "logit_bias": {"E\u0301": 3.0}}
    wanted = any_model.generate("a", seed=5, **plain)
    assert any_model.generate("a", seed=5, **other) == wanted
    assert "".join(any_model.stream("a", seed=5, **other)) == wanted.text
    search = {"stop": ["B"], "banned": ["C"]}
    assert any_model.search("a", **search) == any_model.search("a", stop=["b"], banned=["c"])


def test_controls_that_can_never_act_are_found(any_model):
    config = SamplingConfig(
        stop=["B", "b☃", "\ufeff"], banned=["☃x", "☃a"], logit_bias={"☃": 1.0, "A": 2.0}
    )
    assert any_model.ineffective_controls(config) == [
        ("stop", "b☃"),
        ("stop", "\ufeff"),
        ("banned", "☃x"),
        ("logit_bias", "☃"),
    ]
    assert any_model.ineffective_controls(BeamSearchConfig(stop=["B"])) == []


def test_unknown_characters_are_those_of_the_cleaned_prompt(any_model):
    assert any_model.unknown_characters("ABCDE\u0301 字😀\n") == []
    assert any_model.unknown_characters("☃XaZ☃x") == ["☃", "x", "z"]


def test_settings_are_checked(any_model):
    with pytest.raises(ConfigError, match=r"top_p must be in \(0, 1\]\. Received: 1\.7"):
        any_model.generate("a", top_p=1.7)


def test_every_control_reaches_the_model(any_model):
    free = any_model.generate("a", seed=1, max_new_tokens=60)
    controls = {
        "temperature": 0.1,
        "top_k": 1,
        "top_p": 0.1,
        "min_p": 0.9,
        "typical_p": 0.05,
        "repetition_penalty": 5.0,
        "presence_penalty": 9.0,
        "frequency_penalty": 9.0,
        "no_repeat_ngram_size": 2,
        "dry_multiplier": 99.0,
        "mirostat_tau": 0.1,
        "banned": [free.text[0]],
        "logit_bias": {free.text[0]: -99.0},
    }
    for name, value in controls.items():
        assert any_model.generate("a", seed=1, max_new_tokens=60, **{name: value}) != free, name
    xtc = {"xtc_probability": 1.0, "xtc_threshold": 0.01}
    assert any_model.generate("a", seed=1, max_new_tokens=60, **xtc) != free
    last = {"repetition_penalty": 5.0, "repeat_last_n": 1}
    assert any_model.generate("a", seed=1, max_new_tokens=60, **last) != any_model.generate(
        "a", seed=1, max_new_tokens=60, repetition_penalty=5.0
    )


def test_time_that_is_up_and_nothing_to_choose_are_told(any_model):
    late = any_model.generate("a", max_new_tokens=100_000, max_time=0.05)
    assert late.finish_reason == "time"
    assert late.num_tokens < 100_000
    stuck = any_model.generate("a", banned=["\n .abcdé。字😀"])
    assert (stuck.finish_reason, stuck.text, stuck.num_tokens) == ("error", "", 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "extreme",
    [
        {"temperature": 1e300},
        {"temperature": 1e-300},
        {"temperature": 5e38, "top_k": 3},
        {"top_p": 1e-300},
        {"top_k": 2**31 - 1},
        {"max_time": 1e300},
    ],
)
def test_numbers_at_the_ends_of_their_range_are_answered(any_model, extreme):
    generation = any_model.generate("a", max_new_tokens=12, seed=1, **extreme)
    assert generation.num_tokens == len(generation.text) == 12
    small = extreme.get("temperature") == 1e-300 or extreme.get("top_p") == 1e-300
    greedy = any_model.generate("a", max_new_tokens=12, temperature=0)
    assert (generation.text == greedy.text) == small


@pytest.mark.parametrize("prompt", ["\ud800", "a\udcffb"])
def test_a_prompt_that_is_no_unicode_text_is_refused(any_model, prompt):
    with pytest.raises(TokenizerError, match="lone surrogates"):
        any_model.generate_batch(["a", prompt])


def test_settings_and_keywords_are_those_of_the_config(any_model):
    names = {field.name for field in dataclasses.fields(SamplingConfig)}
    values = SamplingConfig(max_new_tokens=5, seed=2).to_dict()
    assert set(values) == names
    assert any_model.generate("a", **values).num_tokens == 5


def test_load_finds_models_by_name(copy, monkeypatch, tmp_path):
    folder = copy.parents[1]
    monkeypatch.chdir(tmp_path)
    for found in (load("mine", folder), load(None, folder), load("mine/1"), load(), load(copy)):
        with found:
            assert (found.entry.name, found.entry.version) == ("mine", 1)
    with pytest.raises(ModelNotFoundError, match="Models there: mine"):
        load("yours", folder)


def assert_damaged(path, error=ModelDamagedError, names=None):
    with pytest.raises(error) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(names or path) in message
    assert len(message) < 600


def rewrite(path, change):
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(change(values)), "utf-8")


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
def test_a_cut_off_graph_is_a_damaged_model(copy, size):
    graph = copy / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:size])
    assert_damaged(copy)


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("content", [None, b"", b"garbage" * 10])
def test_damaged_variables_are_a_damaged_model(copy, name, content):
    file = copy / "variables" / name
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert_damaged(copy)


def with_corpus(**changes):
    return lambda card: {**card, "corpus": {**card["corpus"], **changes}}


CARDS = {
    "no config": lambda card: {**card, "corpus": {}},
    "config is a list": with_corpus(config=[]),
    "config is null": with_corpus(config=None),
    "corpus is a string": lambda card: {**card, "corpus": "a"},
    "unknown setting": with_corpus(config={"colour": 1}),
    "setting out of range": with_corpus(config={"normalize": "x"}),
}


@pytest.mark.parametrize("change", CARDS.values(), ids=CARDS)
def test_a_card_of_other_content_is_a_damaged_model(copy, change):
    rewrite(copy / CARD_PATH, change)
    assert_damaged(copy)


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_damaged_card_is_a_damaged_model(copy, content):
    (copy / CARD_PATH).unlink()
    if content is not None:
        (copy / CARD_PATH).write_bytes(content)
    assert_damaged(copy)


TOKENIZERS = {
    "no characters": lambda values: {"kind": "character"},
    "empty": lambda values: {**values, "characters": []},
    "a number": lambda values: {**values, "characters": 3},
    "numbers": lambda values: {**values, "characters": [1, 2]},
    "words": lambda values: {**values, "characters": ["ab", "c"]},
    "twice": lambda values: {**values, "characters": ["a", "a"]},
    "surrogate": lambda values: {**values, "characters": ["a", "\ud800"]},
    "other kind": lambda values: {**values, "kind": "telepathy"},
    "a list": lambda values: [values],
}


@pytest.mark.parametrize("change", TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_damaged_tokenizer_is_named(copy, change):
    rewrite(copy / TOKENIZER_PATH, change)
    assert_damaged(copy, TokenizerError, copy / TOKENIZER_PATH)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"null"])
def test_a_broken_tokenizer_file_is_named(copy, content):
    (copy / TOKENIZER_PATH).unlink()
    if content is not None:
        (copy / TOKENIZER_PATH).write_bytes(content)
    assert_damaged(copy, TokenizerError, copy / TOKENIZER_PATH)


@pytest.mark.parametrize("name", ["generate", "prefill", "decode", "score"])
def test_a_model_of_an_older_textgen_asks_to_be_exported_again(copy, name):
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    del content.meta_graphs[0].signature_def[name]
    (copy / "saved_model.pb").write_bytes(content.SerializeToString())
    assert_damaged(copy)
    with pytest.raises(ModelDamagedError, match=f"'{name}'.*older version of textgen: train"):
        load(copy)


def test_a_damaged_newest_version_does_not_hide_behind_the_one_before(copy):
    # What is wrong is said; nobody gets an older model without knowing.
    newest = shutil.copytree(copy, copy.with_name("2"))
    (newest / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ModelDamagedError):
        load("mine", copy.parents[1])
    assert load(Catalog(copy.parents[1]).find("mine/1").path).generate("a").num_tokens == 200


def test_the_card_is_at_hand(any_model):
    assert any_model.card.model.architecture == "lstm"
    assert math.isclose(any_model.card.validation_loss, 1.0)


@pytest.mark.parametrize(
    "config", [BeamSearchConfig(max_new_tokens=9), ContrastiveSearchConfig(max_new_tokens=9)]
)
def test_a_search_is_a_function_of_its_prompt(any_model, config):
    first = any_model.search("ab", config)
    assert first == any_model.search("ab", config)
    assert (first.prompt, first.num_tokens, first.finish_reason) == ("ab", 9, "length")
    assert first.seed is None


def test_a_search_keeps_the_probability_that_ranked_the_text(any_model):
    beam = any_model.search("ab", BeamSearchConfig(max_new_tokens=9, length_penalty=2.0))
    assert beam.logprob < 0
    assert beam.score == pytest.approx(beam.logprob / beam.num_tokens**2)
    assert beam.to_dict()["score"] == beam.score
    contrastive = any_model.search("ab", ContrastiveSearchConfig(max_new_tokens=9))
    assert contrastive.logprob < 0
    assert contrastive.score is None


@pytest.mark.parametrize("method", ["generate", "stream", "generate_batch"])
def test_settings_come_as_a_config_or_as_keywords_which_win(any_model, method):
    call = getattr(any_model, method)
    prompt = ["a"] if method == "generate_batch" else "a"

    def text(*arguments, **settings):
        result = call(prompt, *arguments, **settings)
        return (
            result[0].text
            if method == "generate_batch"
            else "".join(getattr(result, "text", result))
        )

    config = SamplingConfig(max_new_tokens=9, seed=1)
    assert text(config) == text(max_new_tokens=9, seed=1) == text(config=config)
    assert text(config, seed=2) == text(max_new_tokens=9, seed=2) != text(config)


def test_a_search_takes_keywords_for_the_fields_of_its_config(any_model):
    given = BeamSearchConfig(max_new_tokens=9, num_beams=2)
    assert any_model.search("ab", max_new_tokens=9, num_beams=2) == any_model.search("ab", given)
    contrastive = ContrastiveSearchConfig(max_new_tokens=9)
    assert any_model.search("ab", ContrastiveSearchConfig(), max_new_tokens=9) == any_model.search(
        "ab", contrastive
    )


@pytest.mark.parametrize(
    ("method", "arguments", "settings", "message"),
    [
        ("generate", (0.7,), {}, "config must be a SamplingConfig. Received: 0.7"),
        ("stream", (BeamSearchConfig(),), {}, "config must be a SamplingConfig"),
        ("search", ({},), {}, "must be a BeamSearchConfig or a ContrastiveSearchConfig"),
        ("generate", (), {"colour": 1}, "must be a field of SamplingConfig. Received: colour"),
        ("search", (), {"penalty_alpha": 1}, "must be a field of BeamSearchConfig"),
    ],
)
def test_what_is_no_setting_is_refused(any_model, method, arguments, settings, message):
    with pytest.raises(ConfigError, match=message):
        getattr(any_model, method)("a", *arguments, **settings)


def test_one_beam_is_greedy(any_model):
    beam = any_model.search("ab", BeamSearchConfig(max_new_tokens=20, num_beams=1))
    assert beam.text == any_model.generate("ab", max_new_tokens=20, temperature=0).text
