"""A pricing change on the real base: exact re-rating, the customers' reaction, and what it is worth (simulation.md)."""
