"""The report's template, style and script."""
