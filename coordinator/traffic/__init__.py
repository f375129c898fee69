"""Counts as they arrived, their sums, and the answers drawn from them."""
