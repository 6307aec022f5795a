"""Hostile and damaged models: what textgen must refuse, and a program that tries it all."""
