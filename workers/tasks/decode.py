"""A text file's bytes -> its text: UTF-8, or UTF-16 and UTF-32 with a byte-order mark, as Excel writes "Unicode text".

Half of a surrogate pair (in UTF-8: three bytes that are not a valid character) is kept; ``unicode.py`` replaces it.
"""

import codecs
from pathlib import Path

from cotfaith.schemas.errors import TaskError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(path: Path, data: bytes) -> str:
    """Return the text; raise ``TaskError`` if the bytes are not text, or blank."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise TaskError(f"{path}: not {name} text ({error.reason} at byte {error.start}); save it as UTF-8.") from None
    if "\0" in text:
        raise TaskError(f"{path}: not plain text (a NUL character at {text.index(chr(0))}); save it as UTF-8.")
    if not text.strip():
        raise TaskError(f"{path}: the file is empty; expected records. Fill it, or use another file.")
    return text
