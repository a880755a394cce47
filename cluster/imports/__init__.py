"""Chains that somebody recorded, turned into a task."""
