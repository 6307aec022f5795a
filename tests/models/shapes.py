"""Small models of every family, and of every kind within a family, that tests go through."""

from textgen.config import ModelConfig

_SMALL = {"num_layers": 2, "hidden_dim": 16, "context_length": 12}
SHAPES = {
    "transformer": ModelConfig("transformer", num_heads=2, **_SMALL),
    "lstm": ModelConfig("lstm", **_SMALL),
    **{
        f"transformer-{kind}": ModelConfig("transformer", num_heads=2, positions=kind, **_SMALL)
        for kind in ("learned", "sinusoidal", "rotary")
    },
    "llama": ModelConfig("llama", num_heads=2, query_bias=True, **_SMALL),
    "llama-grouped": ModelConfig(
        "llama",
        num_heads=4,
        num_key_value_heads=2,
        head_dim=6,
        tie_embeddings=False,
        query_norm=True,
        rope_scaling={
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 24,
        },
        **_SMALL,
    ),
}
