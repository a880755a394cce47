"""A run's folder: the store, what is committed, and rows read back."""
