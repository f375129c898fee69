"""One module a step; the steps form a line, each with a way back."""
