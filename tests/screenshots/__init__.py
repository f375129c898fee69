"""A seeded city and the people in it → pictures of every page."""
