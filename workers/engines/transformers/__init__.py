"""The embedded engine: transformers on a CPU or one GPU, scoring through the prefix tree."""
