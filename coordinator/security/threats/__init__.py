"""Traces of attacks, read from what the coordinator keeps anyway; alerts that people work on."""
