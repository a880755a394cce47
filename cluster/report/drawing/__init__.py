"""Pictures as SVG text: axes, marks and labels. Knows nothing about runs, estimates or pages.

Sizes are in units of the picture's ``viewBox``; the page scales it to its box. Colours come from CSS classes.
"""
