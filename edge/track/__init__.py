"""Detections → tracks, one road user each."""
