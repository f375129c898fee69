"""The cloud side: fleet, counts and answers; one slice a folder."""
