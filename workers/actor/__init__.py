"""Engines in Ray actors: everything in workers/ that knows Ray."""
