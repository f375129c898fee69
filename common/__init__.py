"""The language both ends speak: errors, ids, clocks, geometry, road users, site files."""
