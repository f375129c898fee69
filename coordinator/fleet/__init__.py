"""Boxes, their identity and what they are told to run."""
