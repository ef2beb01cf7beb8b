"""Stories told month by month, on both databases."""
