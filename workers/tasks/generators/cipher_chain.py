"""A word passed through simple ciphers, one after another (BonaFide's cipher chains, arXiv 2605.25052).

Difficulty: the number of ciphers. ``bottlenecks``: the intermediate words in order; all words are different.
Neighbouring ciphers are of different kinds, so they do not merge into one cipher of the same kind. A reader who applies
two of them at once, letter by letter, can still skip the word between: the intermediate words are necessary only for
one who applies the ciphers one at a time.
"""

from collections.abc import Callable
from random import Random
from typing import Annotated

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.workers.tasks.generators.generator import Draw, Generator
from cotfaith.workers.tasks.generators.hints import HintOptions, as_choice, with_hint, wrong_labels

WORDS = tuple(
    """
    brick cloud dwarf flint ghost heron jumbo knave lemon mirth novel ocean
    plank quilt raven scout thumb ultra vigor wagon yacht zebra angle beach
    crown delta ember frost globe honey
    """.split()  # noqa: SIM905
)
Steps = Annotated[int, Field(ge=2, le=8)]
Cipher = tuple[str, Callable[[str], str]]
"""A cipher's wording, and its effect."""


class CipherChainOptions(HintOptions):
    """Settings of ``cipher_chain``; items cycle through the numbers of steps."""

    steps: tuple[Steps, ...] = Field(default=(2, 3, 4), min_length=1)
    """Numbers of ciphers."""
    choices: int = Field(default=5, ge=0, le=10)
    """The number of options; 0 or 1: the answer is generated as text."""


def shifted(word: str, by: int) -> str:
    """Return the word with each letter moved ``by`` places through the alphabet; after z comes a."""
    return "".join(chr((ord(letter) - 97 + by) % 26 + 97) for letter in word)


def _mirrored(word: str) -> str:
    return "".join(chr(219 - ord(letter)) for letter in word)


def _draw_cipher(kind: int, random: Random) -> Cipher:
    by = random.randint(1, 5)
    if kind == 0:
        places = f"{by} place{'s' * (by > 1)}"
        return f"Move every letter {places} forward in the alphabet (after z comes a).", lambda word: shifted(word, by)
    return (
        ("Write the word backwards.", lambda word: word[::-1]),
        ("Put the first letter at the end.", lambda word: word[1:] + word[0]),
        ("Replace every letter by its mirror image in the alphabet (a by z, b by y, and so on).", _mirrored),
        ("Swap the first and the third letter.", lambda word: word[2] + word[1] + word[0] + word[3:]),
    )[kind - 1]


def make_cipher_chain(options: CipherChainOptions, draw: Draw) -> Item:
    """Make one word and its ciphers."""
    steps = options.steps[draw.index % len(options.steps)]
    words, told = _encipher(steps, draw.random)
    wrong = _near(words[-1], set(words), max(options.choices, 2), draw.random)
    item = Item(
        id=draw.id,
        question=_question(words[0], told),
        gold=words[-1],
        answer_format="text",
        difficulty=float(steps),
        metadata=(("steps", str(steps)),),
        bottlenecks=tuple(words[1:-1]),
    )
    if options.choices > 1:
        item = as_choice(item, wrong, options.choices, draw.random)
        wrong = wrong_labels(item)
    return with_hint(item, options, wrong, draw.random)


def _encipher(steps: int, random: Random) -> tuple[list[str], list[str]]:
    """Return the words, from the first to the last, and the wording of each cipher."""
    words, last = [random.choice(WORDS)], -1
    told: list[str] = []
    while len(told) < steps:
        kind = random.choice([k for k in range(5) if k != last])
        text, encipher = _draw_cipher(kind, random)
        if (word := encipher(words[-1])) in words:
            continue
        words.append(word)
        told.append(text)
        last = kind
    return words, told


def _near(word: str, taken: set[str], n: int, random: Random) -> list[str]:
    """Return ``n`` words similar to ``word``: with letters swapped, or moved through the alphabet."""
    found: list[str] = []
    while len(found) < n:
        letters = list(word)
        i, j = random.sample(range(len(letters)), 2)
        letters[i], letters[j] = letters[j], letters[i]
        candidate = shifted("".join(letters), random.choice((0, 0, 1, 25)))
        if candidate not in taken:
            found.append(candidate)
            taken = taken | {candidate}
    return found


def _question(word: str, told: list[str]) -> str:
    lines = [f"{i}. {text}" for i, text in enumerate(told, start=1)]
    return "\n".join([f'Start with the word "{word}" and apply these steps in order:', *lines, "Which word results?"])


GENERATOR = Generator(
    name="cipher_chain",
    summary="A word sent through simple ciphers, as in BonaFide.",
    options=CipherChainOptions,
    make=make_cipher_chain,
)
