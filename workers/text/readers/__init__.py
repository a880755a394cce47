"""Readers of answers: one file per format, and what they share.

``plain`` normalises the many ways to write one thing; ``numerals`` and ``amounts`` give the value of a number;
``quantities``, ``clauses`` and ``statements`` find what a sentence states; ``numbers``, ``labels``, ``booleans`` and
``phrases`` each read one answer format.
"""
