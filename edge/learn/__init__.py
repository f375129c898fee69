"""What a box sees → samples it may learn from, labels for them, and training with others."""
