"""A version that may go out → boxes that run it, a few first, and back when it does not hold."""
