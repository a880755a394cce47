"""A chain's text -> its sentences, each with its place in the text and a form that patterns can read.

A sentence is verbatim: ``text[start:end]``. A single line break before a lower-case letter, or before a quote where no
sentence ends, is inside a sentence. The plain form has straight quotes, no emphasis and no LaTeX commands around words,
and single spaces; case is kept. Knows nothing about hints.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from cotfaith.workers.text.steps import split_steps

_INNER_BREAK = re.compile(r"(?<!\n)\n(?=[ \t]*[a-z])|(?<![\n.!?:;])\n(?=[ \t]*[\"'\u201c\u2018])")
_RUN_ON = re.compile(r"(?<=[\s(\"'*][A-Z]\.)(?=\s+[A-Z][a-z']*\s)|(?<=[a-z)\"*][.!?])(?=[A-Z][a-z']* )")
"""Sentence ends that the splitter leaves alone: "the answer is C. So", "it is copper.So"."""
_LONG = re.compile(r"[\s\S]{1,2000}(?!\S)|[\s\S]{1,2000}")
"""Pieces of a sentence that never ends, cut at a blank."""
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2011": "-"})
_HIDDEN = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_LATEX = re.compile(r"\\(?:text\w*|boxed|math\w+|emph|underline)\s*\{([^{}]{0,200})\}")
_EMPHASIS = re.compile(
    r"\*{2,}|(?<!\w)\*|\*(?!\w)|[`$]|\\[()\[\]]|(?<!\w)_+|_+(?!\w)|</?(?:b|i|em|strong|u|code)>", re.IGNORECASE
)
_PARENTHESIS = re.compile(r"\\([()])")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text."""

    start: int
    """Its first character in the text."""
    end: int
    """The one after its last."""
    plain: str
    """What patterns read."""


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of ``text`` in order; blank ones are left out."""
    return list(_sentences(text))


def _sentences(text: str) -> Iterator[Sentence]:
    start = 0
    found = split_steps(_INNER_BREAK.sub(" ", text.replace("\r", " ")))
    for piece in (part for one in found for run in _RUN_ON.split(one) for part in _LONG.findall(run)):
        kept = text[start : start + len(piece)]
        if kept.strip():
            begin, end = start + len(kept) - len(kept.lstrip()), start + len(kept.rstrip())
            yield Sentence(begin, end, plain(text[begin:end]))
        start += len(piece)


def plain(text: str) -> str:
    """Return ``text`` as patterns read it."""
    found = _HIDDEN.sub("", unicodedata.normalize("NFKC", text).translate(_QUOTES))
    found = _LATEX.sub(r"\1", _LATEX.sub(r"\1", found))
    return " ".join(_EMPHASIS.sub("", _PARENTHESIS.sub(r"\1", found)).split())
