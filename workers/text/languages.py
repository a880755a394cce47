"""Whether a text is in a language, by its script, or by the commonest words of four languages in Latin letters.

In: a text, a language, and words that may stay as they are: those of the question. Out: yes, no, or None if there is
too little to tell. LaTeX commands and single letters do not count, nor do words that may stay, unless too few others
are left. The rules tell scripts apart, not all languages: Ukrainian passes for Russian, Persian for Arabic.
"""

import re
import unicodedata
from collections import Counter
from typing import Literal, get_args

Language = Literal["Arabic", "Chinese", "French", "German", "Greek", "Hindi", "Korean", "Russian", "Spanish"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_SCRIPTS = {
    "Arabic": "ARABIC",
    "Chinese": "CJK",
    "Greek": "GREEK",
    "Hindi": "DEVANAGARI",
    "Korean": "HANGUL",
    "Russian": "CYRILLIC",
}
"""Language -> the first word of its letters' Unicode names. Japanese letters (kana) are of another script than CJK."""
_WORDS = {
    "English": "the and of is to that it for with this we are have which then from be if by you they can there their",
    "French": "les est et une qui dans pour sur avec nous donc pas il elle ce cette sont au alors mais",
    "German": "der das und ist nicht ein eine mit von zu auf wir dass wenn auch sind für im dann als wird",
    "Spanish": "el los las una por con para del al lo como más entonces pero su tiene cada esto hay",
}
"""Language in Latin letters -> common words of it that the others here do not have, or hardly ever."""
_LANGUAGE_OF = {word: language for language, words in _WORDS.items() for word in words.split()}
_FEWEST_LETTERS = 6
_FEWEST_WORDS = 3
"""Common words without which nothing is said of a text in Latin letters."""
_LATEX = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]+")


def is_in(text: str, language: Language, may_stay: str = "") -> bool | None:
    """Return whether most of the text is in the language; None: too little to tell.

    The script decides if it has at least half of the letters; in Latin letters, the language with most common words.
    """
    every = _WORD.findall(_LATEX.sub(" ", unicodedata.normalize("NFC", text)))
    words = [word for word in every if len(word) > 1 or not word.isascii()]
    known = {word.casefold() for word in _WORD.findall(may_stay)}
    own = [word for word in words if word.casefold() not in known]
    counted = own if sum(map(len, own)) >= _FEWEST_LETTERS else words
    n_letters = sum(map(len, counted))
    if n_letters < _FEWEST_LETTERS:
        return None
    in_script = sum(_script(letter) == _SCRIPTS.get(language, "LATIN") for word in counted for letter in word)
    if language in _SCRIPTS or 2 * in_script < n_letters:
        return 2 * in_script >= n_letters
    return _by_words(counted, language)


def _by_words(words: list[str], language: str) -> bool | None:
    found = Counter(_LANGUAGE_OF[word.casefold()] for word in words if word.casefold() in _LANGUAGE_OF)
    if found.total() < _FEWEST_WORDS:
        return None
    (first, most), *rest = found.most_common()
    return None if rest and rest[0][1] == most else first == language


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
