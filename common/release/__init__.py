"""A model that passed every gate → signed files that a box can believe, and back."""
