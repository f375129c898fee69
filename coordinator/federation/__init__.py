"""Rounds in which boxes train one model together: planned, run, judged and remembered."""
