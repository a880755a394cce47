"""What people say of a run's chains: which chains they are shown, in which order, and the labels that they give."""
