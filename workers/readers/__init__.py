"""Readers of answers: one file a format, and what they share.

``plain`` folds the many ways to write one thing; ``numerals`` gives a run of digits its value; ``quantities`` cuts a text
into numbers and words; ``numbers``, ``labels``, ``booleans`` and ``phrases`` each read one answer format.
"""
