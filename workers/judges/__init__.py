"""Rule judges: what a chain itself says about the hint in its prompt, by patterns and without a model."""
