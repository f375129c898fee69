"""Devices that learn together → one model that forgets nothing: the Flower app and its rules."""
