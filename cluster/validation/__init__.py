"""Meta-evaluation: does a metric measure faithfulness?

In: the registry's scores, and labels of chains. Out: figures, checks, a page.
"""
