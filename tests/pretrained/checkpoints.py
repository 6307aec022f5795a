"""Small random checkpoints of every kind, written without the code under test."""

import json

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from textgen.tokenizer.byte_symbols import to_symbols

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("o", "n"), ("Ġ", "a")]
VOCABULARY = [
    *SPECIAL,
    *(to_symbols(bytes([byte])) for byte in range(256)),
    *(left + right for left, right in MERGES),
]
IDS = {text: token for token, text in enumerate(VOCABULARY)}
SIZE = len(VOCABULARY)
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
D, H, G, K, F, C, L = 16, 4, 2, 4, 24, 128, 2

LLAMA = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": D,
    "intermediate_size": F,
    "max_position_embeddings": C,
    "num_attention_heads": H,
    "num_hidden_layers": L,
    "num_key_value_heads": G,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "tie_word_embeddings": True,
    "vocab_size": SIZE,
}


def llama_tensors(noise):
    """The tensors of a Llama checkpoint, by the names of Hugging Face."""

    def normal(*shape):
        return noise.normal(0, 0.3, shape).astype(np.float32)

    tensors = {"model.embed_tokens.weight": normal(SIZE, D), "model.norm.weight": 1 + normal(D)}
    for index in range(L):
        block = f"model.layers.{index}."
        tensors |= {
            f"{block}input_layernorm.weight": 1 + normal(D),
            f"{block}post_attention_layernorm.weight": 1 + normal(D),
            f"{block}self_attn.q_proj.weight": normal(H * K, D),
            f"{block}self_attn.k_proj.weight": normal(G * K, D),
            f"{block}self_attn.v_proj.weight": normal(G * K, D),
            f"{block}self_attn.o_proj.weight": normal(D, H * K),
            f"{block}mlp.gate_proj.weight": normal(F, D),
            f"{block}mlp.up_proj.weight": normal(F, D),
            f"{block}mlp.down_proj.weight": normal(D, F),
        }
    return tensors


def tokenizer_json():
    """The file of a byte-level BPE tokenizer like SmolLM's."""
    tokenizer = Tokenizer(models.BPE(vocab=IDS, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer.to_str()


def write_tokenizer(folder, **about):
    (folder / "tokenizer.json").write_text(tokenizer_json(), "utf-8")
    about = {"eos_token": "<|im_end|>", "chat_template": TEMPLATE, **about}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")


def write_hugging_face(folder, tensors=None, **changes):
    """Write a Hugging Face folder of the Llama family."""
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**LLAMA, **changes}), "utf-8")
    write_tokenizer(folder)
    tensors = llama_tensors(np.random.default_rng(1)) if tensors is None else tensors
    save_file(tensors, folder / "model.safetensors")
    return folder


_GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers": "blk",
}


def write_gguf(path, tensors=None, pre="smollm", eos="<|im_end|>", **changes):
    """Write a GGUF file of the Llama family, with the weights of a Hugging Face folder."""
    from gguf import GGUFWriter, TokenType

    writer = GGUFWriter(path, "llama")
    settings = {
        "context_length": C,
        "embedding_length": D,
        "block_count": L,
        "feed_forward_length": F,
        "head_count": H,
        "head_count_kv": G,
        "layer_norm_rms_eps": 1e-5,
        "rope_freq_base": 10_000.0,
        "rope_dimension_count": K,
        **changes,
    }
    for name, value in settings.items():
        getattr(writer, f"add_{name}")(value)
    writer.add_license("apache-2.0")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(VOCABULARY)
    kinds = [TokenType.CONTROL if text in SPECIAL else TokenType.NORMAL for text in VOCABULARY]
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{left} {right}" for left, right in MERGES])
    writer.add_eos_token_id(IDS[eos])
    writer.add_bos_token_id(IDS["<|im_start|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    tensors = llama_tensors(np.random.default_rng(1)) if tensors is None else tensors
    for name, value in tensors.items():
        for theirs, gguf_name in _GGUF_NAMES.items():
            name = name.replace(theirs, gguf_name)
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            # As llama.cpp's converter permutes rows.
            pairs = value.reshape(-1, 2, K // 2, D).swapaxes(1, 2)
            value = np.ascontiguousarray(pairs.reshape(value.shape))
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_preset_tokenizer(folder, kind):
    """Write the files of a KerasHub tokenizer of a kind."""
    special = {"Llama3Tokenizer": ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]}
    vocabulary = {**IDS}
    for old, new in zip(SPECIAL, special.get(kind, SPECIAL), strict=False):
        vocabulary[new] = vocabulary.pop(old)
    about = {"class_name": kind, "config": {"unsplittable_tokens": SPECIAL}}
    (folder / "tokenizer.json").write_text(json.dumps(about), "utf-8")
    assets = folder / "assets" / "tokenizer"
    assets.mkdir(parents=True)
    (assets / "vocabulary.json").write_text(json.dumps(vocabulary), "utf-8")
    merges = "".join(f"{left} {right}\n" for left, right in MERGES)
    (assets / "merges.txt").write_text(merges, "utf-8")


def decoder_of(published):
    """The decoder of a published model."""
    shape = published.config, published.tokenizer.vocab_size
    model = published.config.profile.model_class()(*shape)
    return model.decoder_class(*shape, dict(model.fuse(published.weights)))
