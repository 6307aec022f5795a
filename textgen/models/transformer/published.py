"""How published checkpoints of GPT-2 name the settings and weights of the Transformer."""

from __future__ import annotations

from textgen.models.published import Format, Weight

_LEARNED = {"positions": "learned"}

_HUGGING_FACE = Format(
    kinds={"gpt2": _LEARNED},
    settings={
        "num_layers": ("n_layer",),
        "hidden_dim": ("n_embd",),
        "context_length": ("n_positions",),
        "num_heads": ("n_head",),
        "intermediate_dim": ("n_inner",),
    },
    defaults={"intermediate_dim": None},
    required={
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    },
    prefixes=("transformer.", ""),
    # The masks, and the embedding once more.
    ignored=("attn.bias", "attn.masked_bias", "lm_head.weight"),
    weights=(
        Weight("token_embedding", "V D", "wte.weight", "V D"),
        Weight("position_embedding", "C D", "wpe.weight", "C D"),
        Weight("norm/gamma", "D", "ln_f.weight", "D"),
        Weight("norm/beta", "D", "ln_f.bias", "D"),
        Weight("block_{}/attention_norm/gamma", "D", "h.{}.ln_1.weight", "D"),
        Weight("block_{}/attention_norm/beta", "D", "h.{}.ln_1.bias", "D"),
        Weight("block_{}/feedforward_norm/gamma", "D", "h.{}.ln_2.weight", "D"),
        Weight("block_{}/feedforward_norm/beta", "D", "h.{}.ln_2.bias", "D"),
        Weight("block_{}/query/kernel", "D H K", "h.{}.attn.c_attn.weight", "D 3HK", part=0),
        Weight("block_{}/key/kernel", "D H K", "h.{}.attn.c_attn.weight", "D 3HK", part=1),
        Weight("block_{}/value/kernel", "D H K", "h.{}.attn.c_attn.weight", "D 3HK", part=2),
        Weight("block_{}/query/bias", "H K", "h.{}.attn.c_attn.bias", "3HK", part=0),
        Weight("block_{}/key/bias", "H K", "h.{}.attn.c_attn.bias", "3HK", part=1),
        Weight("block_{}/value/bias", "H K", "h.{}.attn.c_attn.bias", "3HK", part=2),
        Weight("block_{}/output/kernel", "H K D", "h.{}.attn.c_proj.weight", "HK D"),
        Weight("block_{}/output/bias", "D", "h.{}.attn.c_proj.bias", "D"),
        Weight("block_{}/expand/kernel", "D F", "h.{}.mlp.c_fc.weight", "D F"),
        Weight("block_{}/expand/bias", "F", "h.{}.mlp.c_fc.bias", "F"),
        Weight("block_{}/contract/kernel", "F D", "h.{}.mlp.c_proj.weight", "F D"),
        Weight("block_{}/contract/bias", "D", "h.{}.mlp.c_proj.bias", "D"),
    ),
)

_GGUF = Format(
    kinds={"gpt2": _LEARNED},
    settings={
        "num_layers": ("block_count",),
        "hidden_dim": ("embedding_length",),
        "context_length": ("context_length",),
        "num_heads": ("attention.head_count",),
        "intermediate_dim": ("feed_forward_length",),
    },
    # A file holds the output layer even if it is the embedding.
    ignored=("output.weight",),
    weights=(
        Weight("token_embedding", "V D", "token_embd.weight", "V D"),
        Weight("position_embedding", "C D", "position_embd.weight", "C D"),
        Weight("norm/gamma", "D", "output_norm.weight", "D"),
        Weight("norm/beta", "D", "output_norm.bias", "D"),
        Weight("block_{}/attention_norm/gamma", "D", "blk.{}.attn_norm.weight", "D"),
        Weight("block_{}/attention_norm/beta", "D", "blk.{}.attn_norm.bias", "D"),
        Weight("block_{}/feedforward_norm/gamma", "D", "blk.{}.ffn_norm.weight", "D"),
        Weight("block_{}/feedforward_norm/beta", "D", "blk.{}.ffn_norm.bias", "D"),
        Weight("block_{}/query/kernel", "D H K", "blk.{}.attn_qkv.weight", "3HK D", part=0),
        Weight("block_{}/key/kernel", "D H K", "blk.{}.attn_qkv.weight", "3HK D", part=1),
        Weight("block_{}/value/kernel", "D H K", "blk.{}.attn_qkv.weight", "3HK D", part=2),
        Weight("block_{}/query/bias", "H K", "blk.{}.attn_qkv.bias", "3HK", part=0),
        Weight("block_{}/key/bias", "H K", "blk.{}.attn_qkv.bias", "3HK", part=1),
        Weight("block_{}/value/bias", "H K", "blk.{}.attn_qkv.bias", "3HK", part=2),
        Weight("block_{}/output/kernel", "H K D", "blk.{}.attn_output.weight", "D HK"),
        Weight("block_{}/output/bias", "D", "blk.{}.attn_output.bias", "D"),
        Weight("block_{}/expand/kernel", "D F", "blk.{}.ffn_up.weight", "F D"),
        Weight("block_{}/expand/bias", "F", "blk.{}.ffn_up.bias", "F"),
        Weight("block_{}/contract/kernel", "F D", "blk.{}.ffn_down.weight", "D F"),
        Weight("block_{}/contract/bias", "D", "blk.{}.ffn_down.bias", "D"),
    ),
)

_KERAS_HUB = Format(
    kinds={"GPT2Backbone": _LEARNED},
    settings={
        "num_layers": ("num_layers",),
        "hidden_dim": ("hidden_dim",),
        "context_length": ("max_sequence_length",),
        "num_heads": ("num_heads",),
        "intermediate_dim": ("intermediate_dim",),
    },
    weights=(
        Weight("token_embedding", "V D", "token_embedding/embeddings", "V D"),
        Weight("position_embedding", "C D", "position_embedding/embeddings", "C D"),
        Weight("norm/gamma", "D", "layer_norm/gamma", "D"),
        Weight("norm/beta", "D", "layer_norm/beta", "D"),
        Weight(
            "block_{}/attention_norm/gamma",
            "D",
            "transformer_layer_{}/self_attention_layer_norm/gamma",
            "D",
        ),
        Weight(
            "block_{}/attention_norm/beta",
            "D",
            "transformer_layer_{}/self_attention_layer_norm/beta",
            "D",
        ),
        Weight(
            "block_{}/feedforward_norm/gamma",
            "D",
            "transformer_layer_{}/feedforward_layer_norm/gamma",
            "D",
        ),
        Weight(
            "block_{}/feedforward_norm/beta",
            "D",
            "transformer_layer_{}/feedforward_layer_norm/beta",
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
            "D H K",
            "transformer_layer_{}/self_attention/key/kernel",
            "D H K",
        ),
        Weight(
            "block_{}/value/kernel",
            "D H K",
            "transformer_layer_{}/self_attention/value/kernel",
            "D H K",
        ),
        Weight(
            "block_{}/query/bias", "H K", "transformer_layer_{}/self_attention/query/bias", "H K"
        ),
        Weight("block_{}/key/bias", "H K", "transformer_layer_{}/self_attention/key/bias", "H K"),
        Weight(
            "block_{}/value/bias", "H K", "transformer_layer_{}/self_attention/value/bias", "H K"
        ),
        Weight(
            "block_{}/output/kernel",
            "H K D",
            "transformer_layer_{}/self_attention/attention_output/kernel",
            "H K D",
        ),
        Weight(
            "block_{}/output/bias",
            "D",
            "transformer_layer_{}/self_attention/attention_output/bias",
            "D",
        ),
        Weight(
            "block_{}/expand/kernel",
            "D F",
            "transformer_layer_{}/feedforward_intermediate_dense/kernel",
            "D F",
        ),
        Weight(
            "block_{}/expand/bias",
            "F",
            "transformer_layer_{}/feedforward_intermediate_dense/bias",
            "F",
        ),
        Weight(
            "block_{}/contract/kernel",
            "F D",
            "transformer_layer_{}/feedforward_output_dense/kernel",
            "F D",
        ),
        Weight(
            "block_{}/contract/bias", "D", "transformer_layer_{}/feedforward_output_dense/bias", "D"
        ),
    ),
)

FORMATS = {"hugging_face": (_HUGGING_FACE,), "gguf": (_GGUF,), "keras_hub": (_KERAS_HUB,)}
