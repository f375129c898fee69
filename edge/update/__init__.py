"""A release → verified, gated, activated in the second slot, watched, taken back if it harms."""
