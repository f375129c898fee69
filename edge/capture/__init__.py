"""Camera → frames with a clock and a quality verdict."""
