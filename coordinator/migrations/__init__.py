"""An empty database → the tables of this version, and back."""
