"""Engines in Ray actors, and the merging of their callers' requests."""
