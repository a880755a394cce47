"""Models other than the subject: editors write, embedders compare, judges read."""
