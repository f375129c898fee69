"""Answers → the files that traffic engineers, data people and other systems read."""
