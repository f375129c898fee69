"""Candidates of the bench → versions of the model, each in the stage its evidence allows."""
