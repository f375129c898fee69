"""A seed → a rendered junction with exact truth."""
