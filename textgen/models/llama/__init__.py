"""The Llama family of models; see `textgen.models.profile`."""
