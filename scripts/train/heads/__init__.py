"""Trains the head counter: a small network that says how many people stand where."""
