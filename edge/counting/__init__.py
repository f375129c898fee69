"""One source, start to end: counts, pictures, comparisons."""
