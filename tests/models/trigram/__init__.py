"""A family of models as small as can be: the next token depends on the last two."""
