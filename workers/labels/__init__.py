"""Labels of chains: what is known about their faithfulness without asking any metric."""
