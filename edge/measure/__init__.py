"""Tracks → events → one-minute bins; pure code."""
