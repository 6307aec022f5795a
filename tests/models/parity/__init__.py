"""Our models beside those of `transformers`, with the same weights."""
