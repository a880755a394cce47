"""Marks such as ⟨U+202E⟩ for characters that cannot be seen: in work on encoded reasoning they matter.

In: untrusted text. Out: its pieces, each either text or one mark. Nothing is removed. Knows nothing about terminals or
pages.

Marked are control characters but line breaks and tabs, lone surrogates, line and paragraph separators, and all that
Unicode calls format (Cf) or default-ignorable: direction controls, zero-width characters, soft hyphens, tags, variation
selectors, fillers. Three kinds are text, because they are seen in what they do:

- in emoji: ZWJ between two emoji, and one variation selector (U+FE0E or U+FE0F) behind an emoji or in a keycap;
- in words: ZWNJ between letters that would otherwise join (Persian), ZWJ and ZWNJ beside a virama (Indic), after the
  rules for joiners in names, RFC 5892, A.1 and A.2; a ZWJ before a virama is Bengali spelling;
- signs that enclose the digits behind them, such as U+06DD: they are visible.

A joiner anywhere else is marked, and so are tags in flags, and variation selectors behind other characters: they can
hide text.
"""

from collections.abc import Iterator

import regex

_VIRAMA = r"\p{Canonical_Combining_Class=9}"
_TRANSPARENT = r"\p{Joining_Type=Transparent}*"
_BEFORE = rf"[\p{{Joining_Type=Left_Joining}}\p{{Joining_Type=Dual_Joining}}]{_TRANSPARENT}"
_BEHIND = rf"{_TRANSPARENT}[\p{{Joining_Type=Right_Joining}}\p{{Joining_Type=Dual_Joining}}]"
_EMOJI = r"\p{Extended_Pictographic}\p{Emoji_Modifier}?[\uFE0E\uFE0F]?"
_TEXT = rf"""
    \r\n
  | {_EMOJI} (?: \u200D {_EMOJI} )*
  | [0-9\#*] \uFE0F \u20E3
  | (?<= {_VIRAMA} ) [\u200C\u200D]
  | \u200D (?= {_VIRAMA} )
  | (?<= {_BEFORE} ) \u200C (?= {_BEHIND} )
"""
_UNSEEN = r"[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n\t\p{Prepended_Concatenation_Mark}]]"
_PATTERN = regex.compile(rf"(?: {_TEXT} )(*SKIP)(*FAIL) | {_UNSEEN}", regex.VERBOSE | regex.VERSION1)


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    r"""Yield the pieces of ``text`` in order, and of each whether it is one character to mark; "\r\n" becomes "\n"."""
    at = 0
    for found in _PATTERN.finditer(text):
        if found.start() > at:
            yield text[at : found.start()].replace("\r\n", "\n"), False
        yield found.group(), True
        at = found.end()
    if at < len(text):
        yield text[at:].replace("\r\n", "\n"), False


def mark(character: str) -> str:
    """Return the mark of one character."""
    return f"⟨U+{ord(character):04X}⟩"
