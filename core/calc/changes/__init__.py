"""Requests to change subscriptions → facts to append and refusals, pure and in batches."""
