"""The calibrated score: fitted on labelled chains of finished runs, and judged on models and tasks it has not seen.

In: stores of runs that ``cotfaith validate`` has finished. Out: fitted scores, held-out figures, a page.
"""
