"""From rows to effects to estimates with intervals. Knows nothing about pages."""
