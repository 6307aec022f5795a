"""Published models with hostile files: every function changes a Hugging Face folder."""

from tests.examination.hostile_files import (
    ESCAPE,
    NESTED,
    edit,
    folder,
    link,
    number,
    pipe,
    replace,
)

_CONFIG, _TOKENIZER, _WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
_ABOUT = "tokenizer_config.json"

HOSTILE_SOURCES = {
    "a config that is empty": replace(_CONFIG, b""),
    "a config that is nested": replace(_CONFIG, NESTED),
    "a config that is a pipe": pipe(_CONFIG),
    "a config that is a device": link(_CONFIG, "/dev/zero"),
    "a kind that is an escape": edit(_CONFIG, "model_type", value=ESCAPE),
    "a kind that is a list": edit(_CONFIG, "model_type", value=[]),
    "a width of 10**9": edit(_CONFIG, "hidden_size", value=10**9),
    "100,000,000 layers": edit(_CONFIG, "num_hidden_layers", value=100_000_000),
    "layers of 400 digits": number(_CONFIG, "num_hidden_layers", "9" * 400),
    "no layers": edit(_CONFIG, "num_hidden_layers", value=0),
    "a context of 10**12": edit(_CONFIG, "max_position_embeddings", value=10**12),
    "heads that are infinite": number(_CONFIG, "num_attention_heads", "1e999"),
    "a rotation of no base": edit(_CONFIG, "rope_theta", value=0),
    "a rotation that is a text": edit(_CONFIG, "rope_theta", value=ESCAPE),
    "an epsilon that is not a number": number(_CONFIG, "rms_norm_eps", "NaN"),
    "a vocabulary of 10**9": edit(_CONFIG, "vocab_size", value=10**9),
    "a negative vocabulary": edit(_CONFIG, "vocab_size", value=-1),
    "a tokenizer that is empty": replace(_TOKENIZER, b""),
    "a tokenizer that is nested": replace(_TOKENIZER, NESTED),
    "a tokenizer that is a pipe": pipe(_TOKENIZER),
    "a tokenizer that is a folder": folder(_TOKENIZER),
    "a vocabulary of lists": edit(_TOKENIZER, "model", "vocab", value=[[1]]),
    "special tokens that are a text": edit(_TOKENIZER, "added_tokens", value=ESCAPE),
    "an end that is an escape": edit(_ABOUT, "eos_token", value=ESCAPE),
    "a template that is a list": edit(_ABOUT, "chat_template", value=[[[]]]),
    "a template that never ends": edit(
        _ABOUT, "chat_template", value="{% for i in range(10**9) %}{{ i }}{% endfor %}"
    ),
    "weights that are empty": replace(_WEIGHTS, b""),
    "weights that are a pipe": pipe(_WEIGHTS),
    "weights that are a device": link(_WEIGHTS, "/dev/zero"),
    "weights with a header of 2**60 bytes": replace(_WEIGHTS, b"\xff" * 8 + b"{}"),
    "weights with a nested header": replace(_WEIGHTS, len(NESTED).to_bytes(8, "little") + NESTED),
    "a pickle": lambda path: (path / _WEIGHTS).rename(path / "pytorch_model.bin"),
}
