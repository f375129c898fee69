"""A box and its cameras → what is wrong and what to do."""
