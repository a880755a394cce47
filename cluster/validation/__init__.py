"""Meta-evaluation: does a metric measure faithfulness? Labels and scores of chains -> figures, checks, a page."""
