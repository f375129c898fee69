"""Frames → detections."""
