"""Serve a SavedModel: files for TensorFlow Serving, and checks that a server can run it."""
