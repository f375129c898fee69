"""The agent on the pole: camera in, classified and quality-flagged counts out."""
