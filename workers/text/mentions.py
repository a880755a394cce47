"""Whether a text states a value: a number or a word.

It accepts numbers in digits ("7", "07", "7.0") or in words up to ninety-nine ("forty-two"), and words in any case, also
spelled out ("c-a-t"). A value must be whole: "137" does not state 37. Knows nothing about what a value means.
"""

import re

_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
    """.split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905


def states(text: str, value: str) -> bool:
    """Return whether ``value`` occurs in ``text`` as a whole number or word."""
    return stated(text, value) is not None


def stated(text: str, value: str) -> str | None:
    """Return the words of ``text`` that state ``value`` first; None: it does not."""
    found = re.search(_pattern(value), text, re.IGNORECASE)
    return None if found is None else found[0]


def without_copies(text: str, question: str) -> str:
    """Return ``text`` in lower case, with white space normalised, without the sentences copied from ``question``.

    A copied line of a map names towns without saying that the way leads there. Sentences of fewer than four words are
    kept: they may be the chain's own.
    """
    kept = _folded(text)
    for sentence in re.split(r"\n|(?<=[.!?;])\s+", question):
        copied = _folded(sentence).rstrip(".!?;")
        if len(copied.split()) >= 4:
            kept = kept.replace(copied, " ")
    return kept


def _pattern(value: str) -> str:
    if re.fullmatch(r"-?\d+", value):
        sign = "-" if value[0] == "-" else r"(?<!(?<![\w)])-)"  # "100-37" states 37, "= -37" does not
        digits = rf"(?<![\w.])(?<!\d,){sign}0*{value.lstrip('-')}(?:\.0+)?(?![\w]|[.,]\d)"
        words = _in_words(int(value))
        return rf"{digits}|\b{words}\b" if words else digits
    spelled = r"[\s\-,]+".join(map(re.escape, value))
    return rf"(?<!\w)(?:{re.escape(value)}|{spelled})(?!\w)"


def _in_words(number: int) -> str | None:
    """Return a pattern of the number's name; "sixty" must not be read in "sixty-one"."""
    if not 0 <= number < 100:
        return None
    if number < 20:
        return rf"(?<!ty-)(?<!ty ){_UNITS[number]}"
    tens, units = divmod(number, 10)
    return _TENS[tens - 2] + (rf"[\s-]{_UNITS[units]}" if units else rf"(?![\s-](?:{'|'.join(_UNITS[1:10])})\b)")


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().lower()
