"""One way to write each thing: spaces, digits, dashes, quotes, LaTeX, markdown.

Every text is normalised here once before it is read, and so are gold numbers. Only marks without meaning are removed:
bold and italics, paired quotation marks, invisible characters. A minus sign stays a sign, a dash between words becomes
a dash with spaces, a superscript digit becomes a power ("10³" -> "10^3"), and struck-out text is removed.
"""

import html
import re
import unicodedata

from cotfaith.workers.text.readers.latex import BOX, END_BOX, without_latex

_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉"
_UNRAISED = str.maketrans(_RAISED + _LOWERED, "0123456789+-0123456789")
_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_CIRCLED = "".join(chr(c) for c in [*range(0x2460, 0x24FF), *range(0x2776, 0x2794)])
_SAME = {
    **dict.fromkeys("‐‑‒−﹣", "-"),
    **dict.fromkeys("’‘ʼ′´٬", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("✕✖", "×"),
    **dict.fromkeys("≃≅≒", "≈"),
    **dict.fromkeys("→⟹⟶∴", " ⇒ "),
    **dict.fromkeys("∼〜", "~"),
    **dict.fromkeys("•▪◦✓✔☑✅", " "),
    "⋅": "·",
    "∗": "*",
    "∕": "/",
    "―": "—",
    "٫": ".",
    "،": ",",
    "٪": "%",
    "。": ". ",
    "、": ", ",
    "⩽": "≤",
    "⩾": "≥",
}
_COMPARED = {"!=": "≠", "<>": "≠", "<=": "≤", ">=": "≥", "==": "=", "=>": " ⇒ ", "->": " ⇒ "}
_FOLDED = str.maketrans(_SAME)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);")
_STRUCK = re.compile(r"~~.{0,200}?~~|<(s|del)>.{0,200}?</\1>", re.DOTALL)
_TAG = re.compile(r"</?(?:b|i|u|em|strong|p|br|span|code|math|div)\s*/?>", re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<(answer|final_answer|final)>(.{0,400}?)</\1>", re.IGNORECASE | re.DOTALL)
_ITALIC = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*_\n]{0,200})(?<=\S)\1(?![\w*])")
_QUOTED = re.compile(r"(?<!\w)\"([^\"\n]{0,200})\"(?!\w)|(?<!\w)'([^'\n]{0,200})'(?!\w)")


def plain(text: str) -> str:
    """Return ``text`` with one way to write each thing; it may hold ``BOX`` and ``END_BOX``."""
    return _folded(_dashes(_markdown(_characters(without_latex(_folded(text))))))


def _folded(text: str) -> str:
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", text))


def without_boxes(text: str) -> str:
    """Return plain text without ``BOX`` and ``END_BOX``."""
    return re.sub(rf" ?[{BOX}{END_BOX}] ?", "", text)


def _characters(text: str) -> str:
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    text = re.sub(rf"(?<=\d)(?=[{_VULGAR}])", " ", text)
    text = re.sub(rf"[{_RAISED}]+", lambda m: f"^{m[0].translate(_UNRAISED)}", text)
    text = re.sub(rf"[{_LOWERED}]+", lambda m: f"_{m[0].translate(_UNRAISED)}", text)
    text = re.sub(rf"[{_CIRCLED}]", "#", text)
    text = re.sub(r"(^|[\s(=:])\N{MINUS SIGN}\s+(?=[\d.$£€])", r"\1-", text)  # a minus sign has no other meaning
    text = unicodedata.normalize("NFKC", text).translate(_FOLDED)
    return "".join(_digit(c) for c in text if unicodedata.category(c) != "Cf")


def _digit(character: str) -> str:
    value = None if character.isascii() else unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _markdown(text: str) -> str:
    text = _ANSWER_TAG.sub(rf" {BOX} \2 {END_BOX} ", _STRUCK.sub(" ", text))
    text = re.sub(r"<sup>\s*([-+]?\w+)\s*</sup>", r"^\1", re.sub(r"<sub>\s*(\w+)\s*</sub>", r"_\1", text))
    text = re.sub(r"</?(?:answer|final_answer|final)>", " ", _TAG.sub(" ", text), flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d)\*\*(?=[-+]?\d)", "^", text)  # Python's power operator
    text = re.sub(r"\*\*|```(?:[A-Za-z]+(?=\s))?|(?<!\w)`|`(?!\w)|(?<!\w)__(?=\S)|(?<=\S)__(?!\w)", "", text)
    text = re.sub(r"(?m)^\s*####", "\nAnswer:", text)  # GSM8K's mark
    text = re.sub(r"(?m)^\s*#{1,6} ", "", text)
    return _QUOTED.sub(lambda m: f" {m[1] if m[1] is not None else m[2]} ", _ITALIC.sub(r"\2", text))


def _dashes(text: str) -> str:
    """Turn each dash into a sign, or a dash between words; write each comparison as one sign."""
    text = re.sub("|".join(map(re.escape, _COMPARED)), lambda m: _COMPARED[m[0]], text)
    text = re.sub(r"(^|[\s(=:])[–—](?=[\d.$€£¥₹])", r"\1-", text)
    text = re.sub(r"(?<=[^\W\d])—(?=\S)|\s*[–—]\s*(?=[^\W\d])|\s-\s(?=[^\W\d])", " — ", text)
    text = re.sub(r"(?<![\w)])(?<![\w)] )~\s?(?=[\d.$€£])", "≈ ", text)
    return re.sub(r"[–—](?! )|(?<! )[–—]", "-", text)
