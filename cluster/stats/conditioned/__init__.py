"""Models compared where they are equally skilled without a chain."""
