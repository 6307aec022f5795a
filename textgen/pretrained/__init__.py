"""Published models: read what others trained into a config, weights and a tokenizer.

    hugging_face, gguf_file, keras_preset    one module per kind of source
    hub                                      addresses, downloaded first
    settings, weights                        converted by the tables of the families
    tokenizer_json, vocabulary               their tokenizers

Everything in these files is untrusted. No pickle is read.
"""

from textgen.pretrained.published_model import PublishedModel
from textgen.pretrained.reading import default_name, open_published
from textgen.pretrained.vocabulary import writable_tokens

__all__ = ["PublishedModel", "default_name", "open_published", "writable_tokens"]
