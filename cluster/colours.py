"""The colours of lines, in the order in which figures use them."""

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f7f7f", "#882255", "#332288", "#999933"]
"""The Okabe-Ito palette, with its yellow darkened to be readable on white, then three of Tol's colours."""
ON_DARK = ["#3d9be0", "#f0803c", "#2fbf94", "#e6a3c8", "#d8ab3a", "#9ad4f7", "#a6a6a6", "#d9628f", "#9488e8", "#c4c45e"]
"""The same hues, lighter, for a dark ground."""
