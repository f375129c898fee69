"""Bins → a bounded store on the box that survives power cuts."""
