"""Is a larger model less faithful, or only better? Sizes, checkpoints and tasks of models compared; docs/scaling.md."""
