"""Measured bins and pictures → what may be told or shown of them, and a record of what left."""
