"""Training: one loop for every model and every distribution strategy."""
