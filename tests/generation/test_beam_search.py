"""Beam search finds what the same search by plain means finds."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer
from textgen.tokenizer.token_ids import SPECIAL

EOS = SPECIAL.eos
PROMPTS = ["a", "", "abcdabcdabcdabcdabcd", "é。"]


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def by_hand(model, prompt, num_beams, length_penalty, n, stop=()):
    """Beam search over lists, reading everything anew for every token.

    Returns the tokens of the best hypothesis, its log-probability and its score.
    """
    pieces = model.tokenizer.pieces
    start = model.encode(prompt)
    beams, finished, cut = [(0.0, [])], [], 0
    for length in range(1, n + 1):
        size = len(start) + length - 1
        if model.max_positions and size - cut > model.max_positions:
            cut = size - model.max_positions // 2
        hidden = model.hidden([(start + tokens)[cut:] for _, tokens in beams])
        logprobs = np.where(model.allowed, log_softmax(model.logits(hidden[:, -1])), -np.inf)
        candidates = [
            (logprob + logprobs[beam, token], [*tokens, token])
            for beam, (logprob, tokens) in enumerate(beams)
            for token in np.flatnonzero(model.allowed)
        ]
        candidates = sorted(candidates, key=lambda candidate: -candidate[0])[: 2 * num_beams]
        beams = []
        for rank, (logprob, tokens) in enumerate(candidates):
            text = b"".join(pieces[token] for token in tokens)
            stopped = any(string.encode() in text for string in stop)
            if tokens[-1] != EOS and not stopped and length < n:
                beams.append((logprob, tokens))
            elif rank < num_beams:
                finished.append((logprob / length**length_penalty, logprob, tokens))
        beams = beams[:num_beams]
        finished = sorted(finished, key=lambda hypothesis: -hypothesis[0])[:num_beams]
        full = len(finished) == num_beams
        if not beams or (full and beams[0][0] / length**length_penalty <= finished[-1][0]):
            break
    score, logprob, tokens = finished[0]
    return [int(token) for token in tokens if token != EOS], logprob, score


@pytest.mark.parametrize("stop", [(), ("b", "c\n", "。é")], ids=["free", "stop strings"])
def test_it_finds_what_a_search_by_plain_means_finds(model, stop):
    # Every row asks for something else, past the context of 10 and up to ends within it.
    asked = list(itertools.product(PROMPTS, (1, 3), (-0.5, 1.0, 3.0), (4, 22)))
    prompts, num_beams, length_penalty, n = map(list, zip(*asked, strict=True))
    result = model.run(
        "beam_search",
        prompts,
        n=n,
        stop=stop or [""],
        num_beams=num_beams,
        length_penalty=length_penalty,
    )
    lengths = set()
    for row, question in enumerate(asked):
        tokens, logprob, score = by_hand(model, *question, stop)
        assert result.token_ids[row, : len(tokens)].tolist() == tokens, question
        assert (result.token_ids[row, len(tokens) :] == -1).all()
        assert result.num_tokens[row] == len(tokens)
        np.testing.assert_allclose(result.logprob[row], logprob, rtol=1e-4)
        np.testing.assert_allclose(result.score[row], score, rtol=1e-4)
        assert (
            result.finish_reason[row] == (b"length" if len(tokens) == n[row] else b"stop") or stop
        )
        lengths.add(len(tokens))
    # The comparison would say little of texts that all end at once, or none.
    assert len(lengths) > 3


@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
@pytest.mark.parametrize("has_documents", [False, True])
def test_enough_beams_find_the_likeliest_of_all_texts(make_model, architecture, has_documents):
    model = make_model(architecture, CharacterTokenizer.learn(["ab"]), has_documents)
    n, letters = 5, [3, 4]
    texts = [[*text, EOS] for size in range(n) for text in itertools.product(letters, repeat=size)]
    texts = [*(texts if has_documents else []), *map(list, itertools.product(letters, repeat=n))]
    prompt = model.encode("a")
    logprobs = []
    for text in texts:
        predicted = log_softmax(model.logits(model.hidden([prompt + text])[0]))
        places = np.arange(len(text)) + len(prompt) - 1
        logprobs.append(predicted[places, text].sum())
    best = texts[np.argmax(logprobs)]
    result = model.run("beam_search", ["a"], n=n, num_beams=64, length_penalty=0.0)
    assert result.token_ids[0, : result.num_tokens[0]].tolist() == [t for t in best if t != EOS]
    np.testing.assert_allclose(result.logprob[0], max(logprobs), rtol=1e-4)


def test_one_beam_is_greedy(model):
    result = model.run("beam_search", PROMPTS, n=40, num_beams=1, length_penalty=1.0)
    greedy = model.generator.generate(
        tf.constant(PROMPTS),
        {"max_new_tokens": tf.constant([40]), "temperature": tf.constant([0.0])},
    )
    assert result.token_ids.tolist() == greedy.token_ids.numpy().tolist()
    assert result.finish_reason.tolist() == greedy.finish_reason.numpy().tolist()


@pytest.mark.parametrize("stop", [[""], ["\n", "a", "c", "d", "é"]], ids=["free", "many ends"])
def test_a_row_is_the_same_alone_and_in_any_batch(model, stop):
    num_beams = [3, 9, 1, 3]
    controls = {"n": 12, "length_penalty": 5.0, "stop": stop}
    together = model.run("beam_search", PROMPTS, num_beams=num_beams, **controls)
    for row, prompt in enumerate(PROMPTS):
        alone = model.run("beam_search", [prompt], num_beams=num_beams[row], **controls)
        assert alone.text_bytes[0] == together.text_bytes[row]
        np.testing.assert_allclose(alone.score[0], together.score[row], rtol=1e-5)


def test_the_logarithmic_probability_is_what_the_model_gives_the_text(make_model):
    model = make_model("lstm", CharacterTokenizer.learn(["\nabcdé。"]), has_documents=False)
    result = model.run("beam_search", ["ab"], n=20, num_beams=3, length_penalty=1.0)
    text = [b"ab" + result.text_bytes[0]]
    scored = model.generator.score(tf.constant(text))
    np.testing.assert_allclose(result.logprob[0], scored.logprobs[0, 2:].numpy().sum(), rtol=1e-4)
    np.testing.assert_allclose(result.score[0], result.logprob[0] / 20, rtol=1e-5)


def test_more_beams_may_find_a_likelier_text_than_greed_does(model):
    found = model.run(
        "beam_search", ["a", "a"], n=12, num_beams=[1, 16], length_penalty=0.0, banned=["\n"]
    )
    assert found.logprob[1] > found.logprob[0] + 0.1


def test_what_follows_a_stop_string_in_its_token_is_cut(make_model):
    tokenizer = BytePairTokenizer.learn(["the cat sat on the mat, the cat sat"] * 20, 300)
    model = make_model("lstm", tokenizer, has_documents=False)
    prompts = ["the", "cat", "sat on", "mat,"]
    free = model.run("beam_search", prompts, n=20, num_beams=3, length_penalty=1.0)
    long = next(
        piece
        for piece in map(tokenizer.pieces.__getitem__, free.token_ids.ravel())
        if len(piece) > 1
    )
    stop = long[:1].decode()
    result = model.run("beam_search", prompts, n=20, num_beams=3, length_penalty=1.0, stop=[stop])
    for text in result.text_bytes[result.finish_reason == b"stop"]:
        assert text.endswith(stop.encode())
        assert text.count(stop.encode()) == 1
    assert b"stop" in result.finish_reason


def test_rows_that_cannot_write_leave_their_neighbours_alone(model):
    everything = "\nabcdé。"
    result = model.run(
        "beam_search",
        ["a", "a", "a", "a" * 30],
        n=[9, 9, 0, -3],
        num_beams=3,
        length_penalty=[1.0, 1.0, 1.0, float("nan")],
        banned=[[""], [everything], [""], [""]],
    )
    alone = model.run("beam_search", ["a"], n=9, num_beams=3, length_penalty=1.0)
    assert result.text_bytes[0] == alone.text_bytes[0]
    assert result.text_bytes[1:].tolist() == [b""] * 3
    assert result.finish_reason[2:].tolist() == [b"length"] * 2
    assert np.isfinite(result.score).all()


def test_a_model_that_gives_no_numbers_ends_in_an_error(make_model):
    model = make_model("lstm", CharacterTokenizer.learn(["ab"]))
    model.generator.decoder.weights["output/bias"].assign(np.full(5, np.nan))
    result = model.run("beam_search", ["a"], num_beams=3, length_penalty=1.0)
    assert result.finish_reason.tolist() == [b"error"]
    assert (result.num_tokens[0], result.logprob[0], result.score[0]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("num_beams", [0, -7, 2**31 - 1], [1, 1, 64]),
        ("length_penalty", [float("nan"), 1e30, float("-inf")], [0.0, 5.0, -5.0]),
    ],
)
def test_values_out_of_range_count_as_the_nearest_legal_ones(model, name, given, taken):
    controls = {"n": 6, "num_beams": 2, "length_penalty": 1.0}
    results = [
        model.run("beam_search", ["ab"] * 3, **{**controls, name: values})
        for values in (given, taken)
    ]
    for first, second in zip(*results, strict=True):
        assert first.tolist() == second.tolist()


def test_an_empty_batch_and_prompts_that_are_no_utf8_are_answered(model):
    controls = {"num_beams": 3, "length_penalty": 1.0}
    assert model.run("beam_search", [], **controls).text_bytes.shape == (0,)
    prompts = [b"\xff\xfe", b"a\xe5\xad", "☃"]
    assert len(model.run("beam_search", prompts, **controls).text_bytes) == 3


def gpt2_of(model):
    """Hugging Face's GPT-2 with the weights of a Transformer of ours, both without positions."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    for block in model.keras_model.blocks:
        block.distance_bias.assign(np.zeros(block.distance_bias.shape))
    for name, value in model.keras_model.fused_weights():
        model.generator.decoder.weights[name].assign(value)
    config = model.generator.decoder.config
    width = config.hidden_dim
    weights = {}
    for name, variable in model.keras_model.named_variables().items():
        weight = torch.tensor(np.asarray(variable).copy())
        if name.split("/")[-2:][0] in ("query", "key", "value", "output"):  # by heads
            weight = weight.reshape((width, width) if name.endswith("kernel") else (width,))
        weights[name] = weight
    gpt2 = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=model.tokenizer.vocab_size,
            n_positions=config.context_length,
            n_embd=config.hidden_dim,
            n_layer=config.num_layers,
            n_head=config.num_heads,
            bos_token_id=EOS,
            eos_token_id=EOS,
        )
    ).eval()
    names = {
        "ln_1": "attention_norm",
        "attn.c_proj": "output",
        "ln_2": "feedforward_norm",
        "mlp.c_fc": "expand",
        "mlp.c_proj": "contract",
    }
    state = {
        "wte.weight": weights["token_embedding"],
        "wpe.weight": torch.zeros(config.context_length, config.hidden_dim),
        "ln_f.weight": weights["norm/gamma"],
        "ln_f.bias": weights["norm/beta"],
    }
    for block in range(config.num_layers):
        own_block, theirs = f"block_{block}", f"h.{block}"
        for name, own in names.items():
            scale, shift = ("gamma", "beta") if "norm" in own else ("kernel", "bias")
            state[f"{theirs}.{name}.weight"] = weights[f"{own_block}/{own}/{scale}"]
            state[f"{theirs}.{name}.bias"] = weights[f"{own_block}/{own}/{shift}"]
        for theirs_kind, kind in (("weight", "kernel"), ("bias", "bias")):
            parts = [weights[f"{own_block}/{name}/{kind}"] for name in ("query", "key", "value")]
            state[f"{theirs}.attn.c_attn.{theirs_kind}"] = torch.cat(parts, -1)
    missing, unexpected = gpt2.transformer.load_state_dict(state, strict=False)
    assert not unexpected
    assert not [name for name in missing if not name.endswith(("attn.bias", "masked_bias"))]
    return gpt2


def test_it_finds_what_hugging_face_finds(make_model):
    model = make_model("transformer", CharacterTokenizer.learn(["\nabcdé。"]), context_length=40)
    gpt2 = gpt2_of(model)
    torch = pytest.importorskip("torch")
    ends = 0
    for num_beams, length_penalty, n in itertools.product((2, 5), (-1.0, 1.0, 3.0), (25,)):
        prompts = ["ab", "é。", "\nd", "cb", "aé"]  # of one length: GPT-2 pads on the left
        ids = torch.tensor([model.encode(prompt) for prompt in prompts])
        theirs = gpt2.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=n,
            num_beams=num_beams,
            length_penalty=length_penalty,
            do_sample=False,
            suppress_tokens=[0, 1],
            pad_token_id=0,
            output_scores=True,
            return_dict_in_generate=True,
        )
        ours = model.run(
            "beam_search", prompts, n=n, num_beams=num_beams, length_penalty=length_penalty
        )
        for row, sequence in enumerate(theirs.sequences[:, ids.shape[1] :].tolist()):
            text = [token for token in sequence if token > EOS]
            assert ours.token_ids[row, : ours.num_tokens[row]].tolist() == text
            ends += len(text) < n
        np.testing.assert_allclose(ours.score, theirs.sequences_scores.numpy(), rtol=1e-4)
    assert ends > 2
