"""Contrastive search writes what its formula by plain means writes."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from textgen.tokenizer import CharacterTokenizer
from textgen.tokenizer.token_ids import SPECIAL

EOS = SPECIAL.eos
PROMPTS = ["a", "", "abcdabcdabcdabcdabcd", "é。"]


def by_hand(model, prompt, alpha, top_k, n, stop=()):
    """Contrastive search over lists, reading everything anew for every candidate.

    Returns the tokens and the text's log-probability.
    """
    context = model.generator.decoder.config.context_length
    window, tokens, total = model.encode(prompt), [], 0.0
    while len(tokens) < n:
        logits = model.logits(model.hidden([window])[:, -1])[0]
        odds = np.exp(logits - logits.max())
        probabilities = np.where(model.allowed, odds, 0) / odds[model.allowed].sum()
        candidates = np.argsort(-probabilities, kind="stable")[: min(top_k, model.allowed.sum())]
        if len(window) == model.max_positions:
            window = window[-(context // 2 - 1) :]
        hidden = model.hidden([[*window, int(token)] for token in candidates])
        unit = hidden / np.linalg.norm(hidden, axis=2, keepdims=True)
        likeness = np.array([(text[:-1] @ text[-1])[-context:].max() for text in unit])
        values = (1 - alpha) * probabilities[candidates] - alpha * likeness
        token = int(candidates[np.argmax(values)])
        total += np.log(odds[token] / odds.sum())
        if token == EOS:
            break
        window, tokens = [*window, token], [*tokens, token]
        text = b"".join(model.tokenizer.pieces[token] for token in tokens)
        if any(string.encode() in text for string in stop):
            break
    return tokens, total


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def endless(request, make_model):
    """A model of each architecture whose texts do not end by themselves."""
    return make_model(request.param, CharacterTokenizer.learn(["\nabcdé。"]), has_documents=False)


def test_it_writes_what_the_formula_by_plain_means_writes(endless):
    # Past the context of 10, which is read again in each row when it is full there.
    assert len(compare(endless, n=22)) > 6


def test_a_text_ends_at_a_stop_string_and_at_the_end_token(model):
    assert len(compare(model, n=12, stop=("b", "c\n", "。é"))) > 2


def test_places_before_the_text_are_no_tokens_to_be_like(endless):
    # With one token before it, a candidate may be less like it than like nothing at all.
    compare(endless, n=1, prompts=[""], alphas=np.linspace(0.05, 0.95, 30))


def compare(model, n, stop=(), prompts=PROMPTS, alphas=(0.3, 0.9)):
    """Hold that all rows of a batch, which ask for different things, are as by hand."""
    asked = list(itertools.product(prompts, alphas, (2, 5), (n,)))
    prompts, penalty_alpha, top_k, _ = map(list, zip(*asked, strict=True))
    result = model.run(
        "contrastive_search",
        prompts,
        n=n,
        stop=stop or [""],
        penalty_alpha=penalty_alpha,
        top_k=top_k,
    )
    for row, question in enumerate(asked):
        tokens, logprob = by_hand(model, *question, stop)
        assert result.token_ids[row, : len(tokens)].tolist() == tokens, question
        assert (result.token_ids[row, len(tokens) :] == -1).all()
        assert result.num_tokens[row] == len(tokens)
        np.testing.assert_allclose(result.logprob[row], logprob, rtol=1e-4, atol=1e-5)
    return set(result.text_bytes)


@pytest.mark.parametrize("controls", [(0.0, 5), (0.9, 1)], ids=["alpha 0", "one candidate"])
def test_without_a_penalty_or_a_choice_it_is_greedy(model, controls):
    penalty_alpha, top_k = controls
    result = model.run(
        "contrastive_search", PROMPTS, n=40, penalty_alpha=penalty_alpha, top_k=top_k
    )
    greedy = model.generator.generate(
        tf.constant(PROMPTS),
        {"max_new_tokens": tf.constant([40]), "temperature": tf.constant([0.0])},
    )
    assert result.token_ids.tolist() == greedy.token_ids.numpy().tolist()
    assert result.finish_reason.tolist() == greedy.finish_reason.numpy().tolist()


def test_a_row_is_the_same_alone_and_in_any_batch(model):
    alpha, top_k = [0.6, 0.2, 0.9, 0.0], [4, 2, 9, 1]
    together = model.run("contrastive_search", PROMPTS, penalty_alpha=alpha, top_k=top_k)
    for row, prompt in enumerate(PROMPTS):
        alone = model.run(
            "contrastive_search", [prompt], penalty_alpha=alpha[row], top_k=top_k[row]
        )
        assert alone.text_bytes[0] == together.text_bytes[row]
        np.testing.assert_allclose(alone.logprob[0], together.logprob[row], rtol=1e-5)


def test_it_repeats_itself_less_than_greed_does(endless):
    plain, contrasted = endless.run(
        "contrastive_search", ["a"] * 2, n=60, penalty_alpha=[0.0, 0.8], top_k=4
    ).token_ids

    def share_of_new(tokens):
        triples = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
        return len(set(triples)) / len(triples)

    assert share_of_new(contrasted) > share_of_new(plain)


@pytest.mark.parametrize("context_length", [2, 3, 5])
def test_a_context_of_few_tokens_is_enough(make_model, context_length):
    tokenizer = CharacterTokenizer.learn(["\nabcdé。"])
    model = make_model("transformer", tokenizer, False, context_length)
    result = model.run("contrastive_search", ["", "abc"], n=9, penalty_alpha=0.6, top_k=3)
    assert result.num_tokens.tolist() == [9, 9]


def test_rows_that_cannot_write_leave_their_neighbours_alone(model):
    everything = "\nabcdé。"
    result = model.run(
        "contrastive_search",
        ["a", "a", "a", "a" * 30],
        n=[9, 9, 0, -3],
        penalty_alpha=[0.6, 0.6, 0.6, float("nan")],
        top_k=3,
        banned=[[""], [everything], [""], [""]],
    )
    alone = model.run("contrastive_search", ["a"], n=9, penalty_alpha=0.6, top_k=3)
    assert result.text_bytes[0] == alone.text_bytes[0]
    assert result.text_bytes[1:].tolist() == [b""] * 3
    assert result.finish_reason[2:].tolist() == [b"length"] * 2


def test_a_model_that_gives_no_numbers_ends_in_an_error(make_model):
    model = make_model("lstm", CharacterTokenizer.learn(["ab"]))
    model.generator.decoder.weights["output/bias"].assign(np.full(5, np.nan))
    result = model.run("contrastive_search", ["a"], penalty_alpha=0.6, top_k=4)
    assert result.finish_reason.tolist() == [b"error"]
    assert (result.num_tokens[0], result.logprob[0]) == (0, 0)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("top_k", [0, -7, 2**31 - 1], [1, 1, 10]),
        ("penalty_alpha", [float("nan"), 7.0, -1.0], [0.0, 1.0, 0.0]),
    ],
)
def test_values_out_of_range_count_as_the_nearest_legal_ones(model, name, given, taken):
    controls = {"n": 6, "penalty_alpha": 0.6, "top_k": 4}
    results = [
        model.run("contrastive_search", ["ab"] * 3, **{**controls, name: values})
        for values in (given, taken)
    ]
    for first, second in zip(*results, strict=True):
        assert first.tolist() == second.tolist()


def test_an_empty_batch_and_prompts_that_are_no_utf8_are_answered(model):
    controls = {"penalty_alpha": 0.6, "top_k": 4}
    assert model.run("contrastive_search", [], **controls).text_bytes.shape == (0,)
    prompts = [b"\xff\xfe", b"a\xe5\xad", "☃"]
    assert len(model.run("contrastive_search", prompts, **controls).text_bytes) == 3
