"""The logits of `transformers` for `checkpoints`.

`python -m tests.models.parity.theirs` writes them to a file, so that every machine can compare.
"""

import json
from pathlib import Path

import numpy as np

from tests.models.parity.checkpoints import CONFIGS, TOKENS, VOCAB_SIZE, weight

LOGITS = Path(__file__).with_name("logits.json")
# Their names of the parts of a block, and ours.
_GPT2 = {
    "ln_1": "attention_norm",
    "ln_2": "feedforward_norm",
    "attn.c_attn": "query key value",
    "attn.c_proj": "output",
    "mlp.c_fc": "expand",
    "mlp.c_proj": "contract",
}
_LLAMA = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "feedforward_norm",
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.q_norm": "query_norm",
    "self_attn.k_norm": "key_norm",
    "self_attn.o_proj": "output",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "expand",
    "mlp.down_proj": "contract",
}


def _model(name):
    """Return the model of `transformers` with the shape of ours of that name."""
    import transformers

    ours = CONFIGS[name]
    if name == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=VOCAB_SIZE,
                n_embd=ours.hidden_dim,
                n_head=ours.num_heads,
                n_layer=ours.num_layers,
                n_positions=ours.context_length,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    prefix = {"mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}.get(name, "Llama")
    rope = {"rope_type": "default", "rope_theta": ours.rope_theta}
    if ours.rope_scaling:
        rope |= {"rope_type": "llama3", **ours.rope_scaling}
    config = getattr(transformers, f"{prefix}Config")(
        vocab_size=VOCAB_SIZE,
        hidden_size=ours.hidden_dim,
        intermediate_size=ours.feedforward_dim,
        num_hidden_layers=ours.num_layers,
        num_attention_heads=ours.num_heads,
        num_key_value_heads=ours.key_value_heads,
        head_dim=ours.head_width,
        max_position_embeddings=ours.context_length,
        rms_norm_eps=ours.norm_epsilon,
        rope_parameters=rope,
        tie_word_embeddings=ours.tie_embeddings,
        sliding_window=None,
        bos_token_id=0,
        eos_token_id=0,
    )
    return getattr(transformers, f"{prefix}ForCausalLM")(config)


def _value(path, shape):
    """Return the numbers of the parameter of `transformers` at a path."""
    parts = path.removeprefix("model.").removeprefix("transformer.").split(".")
    if parts[0] in ("wte", "embed_tokens"):
        return weight("token_embedding", shape)
    if parts[0] == "wpe":
        return weight("position_embedding", shape)
    if parts[0] == "lm_head":
        return weight("logits/kernel", shape[::-1]).T
    *layer, last = parts
    is_norm = "norm" in layer[-1] or layer[-1].startswith("ln_")
    part = {"bias": "beta", "weight": "gamma"} if is_norm else {"bias": "bias", "weight": "kernel"}
    if layer[0] in ("norm", "ln_f"):
        return weight(f"norm/{part[last]}", shape)
    names = (_GPT2 if layer[0] == "h" else _LLAMA)[".".join(layer[2:])].split()
    # GPT-2's linear layers multiply by what is stored, the others by its transpose.
    is_transposed = layer[0] != "h" and len(shape) == 2
    rows = shape[::-1] if is_transposed else shape
    each = (*rows[:-1], rows[-1] // len(names))
    values = [weight(f"block_{layer[1]}/{name}/{part[last]}", each) for name in names]
    value = np.concatenate(values, -1)
    return value.T if is_transposed else value


def logits_of(name):
    """Return the logits of a model of `transformers` after every token: float32[2, 12, V]."""
    import torch

    model = _model(name).eval()
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            value = _value(path, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
        return model(torch.from_numpy(TOKENS)).logits.numpy()


if __name__ == "__main__":
    digits = {name: np.round(logits_of(name).ravel().astype(float), 5).tolist() for name in CONFIGS}
    lines = (f"{json.dumps(name)}: {json.dumps(values)}" for name, values in digits.items())
    LOGITS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
