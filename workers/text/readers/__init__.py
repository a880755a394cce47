"""Readers of answers: one file a format, and what they share.

``plain`` folds the many ways to write one thing; ``numerals`` and ``amounts`` give a number its value; ``quantities``,
``clauses`` and ``statements`` say what a sentence states; ``numbers``, ``labels``, ``booleans`` and ``phrases`` each
read one answer format.
"""
