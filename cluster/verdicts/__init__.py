"""Decisions about chains of thought: which model's chains can be trusted, and how two models compare."""
