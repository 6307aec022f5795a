"""How published checkpoints name the settings and weights of the Llama family."""

from __future__ import annotations

from textgen.models.published import Format, Weight

_UNTIED = ("tie_embeddings", False)
_BIAS, _NORM = ("query_bias", True), ("query_norm", True)
_DEFAULTS = {
    "num_key_value_heads": None,
    "head_dim": None,
    "rope_theta": 10_000.0,
    "rope_scaling": None,
    "tie_embeddings": False,
}

_HUGGING_FACE = Format(
    kinds={
        "llama": {},
        "mistral": {},
        "qwen2": {"query_bias": True},
        "qwen3": {"query_norm": True},
    },
    settings={
        "num_layers": ("num_hidden_layers",),
        "hidden_dim": ("hidden_size",),
        "context_length": ("max_position_embeddings",),
        "num_heads": ("num_attention_heads",),
        "num_key_value_heads": ("num_key_value_heads",),
        "head_dim": ("head_dim",),
        "intermediate_dim": ("intermediate_size",),
        "rope_theta": ("rope_parameters.rope_theta", "rope_theta"),
        "rope_scaling": ("rope_parameters", "rope_scaling"),
        "norm_epsilon": ("rms_norm_eps",),
        "tie_embeddings": ("tie_word_embeddings",),
    },
    defaults=_DEFAULTS,
    required={
        "hidden_act": ("silu", "swish"),
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "partial_rotary_factor": (1,),
    },
    prefixes=("model.", ""),
    ignored=("rotary_emb.inv_freq",),
    weights=(
        Weight("token_embedding", "V D", "embed_tokens.weight", "V D"),
        Weight("norm/gamma", "D", "norm.weight", "D"),
        Weight("logits/kernel", "D V", "lm_head.weight", "V D", condition=_UNTIED),
        Weight("block_{}/attention_norm/gamma", "D", "layers.{}.input_layernorm.weight", "D"),
        Weight(
            "block_{}/feedforward_norm/gamma", "D", "layers.{}.post_attention_layernorm.weight", "D"
        ),
        Weight("block_{}/query/kernel", "D H K", "layers.{}.self_attn.q_proj.weight", "HK D"),
        Weight("block_{}/key/kernel", "D G K", "layers.{}.self_attn.k_proj.weight", "GK D"),
        Weight("block_{}/value/kernel", "D G K", "layers.{}.self_attn.v_proj.weight", "GK D"),
        Weight(
            "block_{}/query/bias", "H K", "layers.{}.self_attn.q_proj.bias", "HK", condition=_BIAS
        ),
        Weight(
            "block_{}/key/bias", "G K", "layers.{}.self_attn.k_proj.bias", "GK", condition=_BIAS
        ),
        Weight(
            "block_{}/value/bias", "G K", "layers.{}.self_attn.v_proj.bias", "GK", condition=_BIAS
        ),
        Weight(
            "block_{}/query_norm/gamma",
            "K",
            "layers.{}.self_attn.q_norm.weight",
            "K",
            condition=_NORM,
        ),
        Weight(
            "block_{}/key_norm/gamma",
            "K",
            "layers.{}.self_attn.k_norm.weight",
            "K",
            condition=_NORM,
        ),
        Weight("block_{}/output/kernel", "H K D", "layers.{}.self_attn.o_proj.weight", "D HK"),
        Weight("block_{}/gate/kernel", "D F", "layers.{}.mlp.gate_proj.weight", "F D"),
        Weight("block_{}/expand/kernel", "D F", "layers.{}.mlp.up_proj.weight", "F D"),
        Weight("block_{}/contract/kernel", "F D", "layers.{}.mlp.down_proj.weight", "D F"),
    ),
)


def _gguf(kinds, is_interleaved):
    """Return a format of GGUF files, whose shapes are those of Hugging Face's matrices.

    Files of the kind `llama` hold the rows of queries and keys in another order: llama.cpp
    rotates neighbors, not a row and the one half a head after it.
    """
    return Format(
        kinds=kinds,
        settings={
            "num_layers": ("block_count",),
            "hidden_dim": ("embedding_length",),
            "context_length": ("context_length",),
            "num_heads": ("attention.head_count",),
            "num_key_value_heads": ("attention.head_count_kv",),
            "head_dim": ("attention.key_length", "rope.dimension_count"),
            "intermediate_dim": ("feed_forward_length",),
            "rope_theta": ("rope.freq_base",),
            "rope_scaling": ("rope_scaling",),
            "norm_epsilon": ("attention.layer_norm_rms_epsilon",),
            "tie_embeddings": ("tie_word_embeddings",),
        },
        defaults=_DEFAULTS,
        required={"rope.scaling.type": ("none",), "expert_count": (0,)},
        ignored=("rope_freqs.weight",),
        weights=(
            Weight("token_embedding", "V D", "token_embd.weight", "V D"),
            Weight("norm/gamma", "D", "output_norm.weight", "D"),
            Weight("logits/kernel", "D V", "output.weight", "V D", condition=_UNTIED),
            Weight("block_{}/attention_norm/gamma", "D", "blk.{}.attn_norm.weight", "D"),
            Weight("block_{}/feedforward_norm/gamma", "D", "blk.{}.ffn_norm.weight", "D"),
            Weight(
                "block_{}/query/kernel",
                "D H K",
                "blk.{}.attn_q.weight",
                "HK D",
                is_interleaved=is_interleaved,
            ),
            Weight(
                "block_{}/key/kernel",
                "D G K",
                "blk.{}.attn_k.weight",
                "GK D",
                is_interleaved=is_interleaved,
            ),
            Weight("block_{}/value/kernel", "D G K", "blk.{}.attn_v.weight", "GK D"),
            Weight("block_{}/query/bias", "H K", "blk.{}.attn_q.bias", "HK", condition=_BIAS),
            Weight("block_{}/key/bias", "G K", "blk.{}.attn_k.bias", "GK", condition=_BIAS),
            Weight("block_{}/value/bias", "G K", "blk.{}.attn_v.bias", "GK", condition=_BIAS),
            Weight(
                "block_{}/query_norm/gamma", "K", "blk.{}.attn_q_norm.weight", "K", condition=_NORM
            ),
            Weight(
                "block_{}/key_norm/gamma", "K", "blk.{}.attn_k_norm.weight", "K", condition=_NORM
            ),
            Weight("block_{}/output/kernel", "H K D", "blk.{}.attn_output.weight", "D HK"),
            Weight("block_{}/gate/kernel", "D F", "blk.{}.ffn_gate.weight", "F D"),
            Weight("block_{}/expand/kernel", "D F", "blk.{}.ffn_up.weight", "F D"),
            Weight("block_{}/contract/kernel", "F D", "blk.{}.ffn_down.weight", "D F"),
        ),
    )


_KERAS_HUB = Format(
    kinds={
        "LlamaBackbone": {},
        "Llama3Backbone": {},
        "MistralBackbone": {},
        "QwenBackbone": {"query_bias": True},
        "Qwen3Backbone": {"query_norm": True},
    },
    settings={
        "num_layers": ("num_layers",),
        "hidden_dim": ("hidden_dim",),
        "context_length": ("context_length",),
        "num_heads": ("num_query_heads",),
        "num_key_value_heads": ("num_key_value_heads",),
        "head_dim": ("head_dim",),
        "intermediate_dim": ("intermediate_dim",),
        "rope_theta": ("rope_max_wavelength",),
        "norm_epsilon": ("layer_norm_epsilon",),
        "tie_embeddings": ("tie_word_embeddings",),
    },
    # KerasHub's configs do not say how long a text the model has seen.
    defaults={**_DEFAULTS, "context_length": 2048},
    required={
        "rope_position_scaling_factor": (1,),
        "rope_scaling_factor": (1,),
        "rope_frequency_adjustment_factor": (None,),
    },
    weights=(
        Weight("token_embedding", "V D", "token_embedding/embeddings", "V D"),
        Weight("norm/gamma", "D", "sequence_output_layernorm/scale", "D"),
        Weight(
            "logits/kernel", "D V", "token_embedding/reverse_embeddings", "D V", condition=_UNTIED
        ),
        Weight(
            "block_{}/attention_norm/gamma",
            "D",
            "transformer_layer_{}/self_attention_layernorm/scale",
            "D",
        ),
        Weight(
            "block_{}/feedforward_norm/gamma",
            "D",
            "transformer_layer_{}/feedforward_layernorm/scale",
            "D",
        ),
        Weight(
            "block_{}/query/kernel",
            "D H K",
            "transformer_layer_{}/self_attention/query/kernel",
            "D H K",
        ),
        Weight(
            "block_{}/key/kernel",
            "D G K",
            "transformer_layer_{}/self_attention/key/kernel",
            "D G K",
        ),
        Weight(
            "block_{}/value/kernel",
            "D G K",
            "transformer_layer_{}/self_attention/value/kernel",
            "D G K",
        ),
        Weight(
            "block_{}/query/bias",
            "H K",
            "transformer_layer_{}/self_attention/query/bias",
            "H K",
            condition=_BIAS,
        ),
        Weight(
            "block_{}/key/bias",
            "G K",
            "transformer_layer_{}/self_attention/key/bias",
            "G K",
            condition=_BIAS,
        ),
        Weight(
            "block_{}/value/bias",
            "G K",
            "transformer_layer_{}/self_attention/value/bias",
            "G K",
            condition=_BIAS,
        ),
        Weight(
            "block_{}/query_norm/gamma",
            "K",
            "transformer_layer_{}/self_attention/query_dense_layernorm/scale",
            "K",
            condition=_NORM,
        ),
        Weight(
            "block_{}/key_norm/gamma",
            "K",
            "transformer_layer_{}/self_attention/key_dense_layernorm/scale",
            "K",
            condition=_NORM,
        ),
        Weight(
            "block_{}/output/kernel",
            "H K D",
            "transformer_layer_{}/self_attention/attention_output/kernel",
            "H K D",
        ),
        Weight(
            "block_{}/gate/kernel",
            "D F",
            "transformer_layer_{}/feedforward_gate_dense/kernel",
            "D F",
        ),
        Weight(
            "block_{}/expand/kernel",
            "D F",
            "transformer_layer_{}/feedforward_intermediate_dense/kernel",
            "D F",
        ),
        Weight(
            "block_{}/contract/kernel",
            "F D",
            "transformer_layer_{}/feedforward_output_dense/kernel",
            "F D",
        ),
    ),
)

FORMATS = {
    "hugging_face": (_HUGGING_FACE,),
    "gguf": (
        _gguf({"llama": {}}, is_interleaved=True),
        _gguf({"qwen2": {"query_bias": True}, "qwen3": {"query_norm": True}}, is_interleaved=False),
    ),
    "keras_hub": (_KERAS_HUB,),
}
