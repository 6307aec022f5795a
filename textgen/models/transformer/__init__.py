"""The Transformer, a family of models; see `textgen.models.profile`."""
