"""The colours of lines, in the order in which figures use them."""

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f7f7f", "#882255", "#332288", "#999933"]
"""The Okabe-Ito palette, with its yellow darkened to be readable on white, then three of Tol's colours."""
