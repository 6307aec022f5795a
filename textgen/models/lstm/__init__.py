"""The LSTM, a family of models; see `textgen.models.profile`."""
