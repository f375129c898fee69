"""Requests of browsers → pages; owns no tables, asks the services of the other slices."""
