"""Measured bins → sealed reports that the coordinator acknowledged."""
