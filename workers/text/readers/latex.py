r"""LaTeX in a text, written as plain characters: "\dfrac{1}{2}" -> "1⁄2", "9{,}500" -> "9,500", "\times" -> "×".

A box ("\boxed{42}") becomes a pair of marks, because it says which of several numbers is the answer. Unknown commands
are kept, so that text beside them is not read as understood.
"""

import re

BOX, END_BOX = "\ue000", "\ue001"
MOST_NESTED = 8
"""The deepest nesting of wrappers that is read; the limit bounds the time that a text takes."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")
_WRAPPER = re.compile(
    r"\\(?:text|math)?(?:text|emph|mbox|underline|operatorname|bf|it|rm|sf|tt|up|normal)\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"(\d?)\\[dtc]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))")
_POWER = re.compile(r"\^\s*\{([^{}]*)\}")
_WHOLE = re.compile(r"\s*[-+]?\d+\s*")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_LAYOUT = re.compile(r"\\[,;: ()\[\]]|\\\\|\\q?quad(?![A-Za-z])|\$\$")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))")
_SYMBOLS = {
    **dict.fromkeys(
        ("left", "right", "displaystyle", "big", "Big", "bigl", "bigr", "checkmark", "square", "blacksquare"), ""
    ),
    **dict.fromkeys(("approx", "simeq", "sim", "cong"), "≈"),
    **dict.fromkeys(("implies", "Rightarrow", "rightarrow", "to", "therefore", "Longrightarrow"), " ⇒ "),
    **dict.fromkeys(("ldots", "dots", "cdots"), "..."),
    **dict.fromkeys(("le", "leq"), "≤"),
    **dict.fromkeys(("ge", "geq"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("neg", "lnot"), "¬"),
    **dict.fromkeys(("neg", "lnot"), "¬"),
    "times": "×",
    "cdot": "·",
    "div": "÷",
    "pm": "±",
    "lt": "<",
    "gt": ">",
    "infty": "∞",
    "pi": "π",
    "sqrt": "√",
    "degree": "°",
    "pounds": "£",
    "euro": "€",
}


def without_latex(text: str) -> str:
    """Return ``text`` with its LaTeX written as plain characters; boxes are delimited by ``BOX`` and ``END_BOX``."""
    text = text.replace(BOX, "").replace(END_BOX, "")
    if "\\" not in text and "{" not in text:
        return text.replace("$$", " ")
    text = _DEGREES.sub("°", re.sub(r"\{\s*([.,])\s*\}", r"\1", text.replace("\\!", "")))
    text = _LAYOUT.sub(" ", text)
    for _ in range(MOST_NESTED):
        text, before = _unwrapped(text), text
        if text == before:
            break
    text = _COMMAND.sub(lambda m: _SYMBOLS.get(m[1], m[0]), text)
    return re.sub(r"\\([$%#&_])", r"\1", text)


def _unwrapped(text: str) -> str:
    text = _BOX.sub(rf" {BOX} \1 {END_BOX} ", _WRAPPER.sub(r"\1", text))
    text = _POWER.sub(lambda m: f"^{m[1]}" if _WHOLE.fullmatch(m[1]) else f"^({m[1]})", text)
    return _FRACTION.sub(_fraction, text)


def _fraction(found: re.Match[str]) -> str:
    top, bottom = (found[2], found[3]) if found[2] is not None else (found[4], found[5])
    before = f"{found[1]} " if found[1] else ""  # 2\frac{1}{2} is two and a half
    if _WHOLE.fullmatch(top) and _WHOLE.fullmatch(bottom):
        return f"{before}{top.strip()}⁄{bottom.strip()}"
    return f"{before}({top})/({bottom})"
