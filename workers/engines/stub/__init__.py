"""A deterministic engine without weights, for tests and demonstrations of failures."""
