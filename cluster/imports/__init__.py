"""Chains that other tools recorded, turned into a task."""
