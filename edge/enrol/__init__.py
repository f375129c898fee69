"""A one-time token → the identity of this box, kept, renewed and rotated."""
