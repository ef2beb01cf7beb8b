"""From facts to documents: expected lines, reconcile, discounts, tax, totals - all pure frame functions."""
