"""Numbers in every style are read back; with unknown text at their digits, they are read as a whole or not at all."""

import string
from fractions import Fraction

import pytest
from answer_texts import COLOURS, NUMBER, TEXT, TRUE_FALSE
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.schemas.status import Status
from cotfaith.workers.text.answers import comparable_text, read_answer
from cotfaith.workers.text.canonical import canonical_number, canonical_text, decimal_number
from cotfaith.workers.text.readers.numerals import canonical_value
from cotfaith.workers.text.readers.units import UNIT

WHOLES = st.integers(0, 10**12)
DECIMALS = st.text(string.digits, min_size=0, max_size=2)
SIGNS = st.sampled_from(["", "-", "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NON-BREAKING HYPHEN}"])


def grouped(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def indian(number: int) -> str:
    head, tail = divmod(number, 1000)
    groups = []
    while head > 99:
        head, group = divmod(head, 100)
        groups.append(f"{group:02}")
    return ",".join([str(head), *reversed(groups), f"{tail:03}"]) if head else str(number)


def shifted(text: str, zero: int) -> str:
    """Write the digits in the script whose zero is ``zero``."""
    return text.translate({ord(digit): zero + int(digit) for digit in string.digits})


STYLES = {
    "plain": (lambda n: str(n), "."),
    "English": (lambda n: grouped(n, ","), "."),
    "French": (lambda n: grouped(n, "\N{NARROW NO-BREAK SPACE}"), ","),
    "Swedish": (lambda n: grouped(n, "\N{NO-BREAK SPACE}"), ","),
    "SI": (lambda n: grouped(n, " "), "."),
    "figure spaces": (lambda n: grouped(n, "\N{FIGURE SPACE}"), "."),
    "Swiss": (lambda n: grouped(n, "\N{RIGHT SINGLE QUOTATION MARK}"), "."),
    "Indian": (indian, "."),
    "LaTeX": (lambda n: grouped(n, "{,}"), "."),
    "LaTeX spaces": (lambda n: grouped(n, "\\,"), "{,}"),
    "fullwidth": (lambda n: shifted(grouped(n, "\uff0c"), 0xFF10), "\uff0e"),
    "Arabic": (lambda n: shifted(grouped(n, "\u066c"), 0x660), "\u066b"),
    "Devanagari": (lambda n: shifted(indian(n), 0x966), "."),
}
DRESSES = [
    " {}",
    " {}.",
    ": {}",
    " **{}**",
    " \\boxed{{{}}}",
    " ${}$.",
    " \\({}\\)",
    " x = {}",
    " {} km",
    " \N{EURO SIGN}{}",
]


def written(style: str, sign: str, whole: int, decimals: str) -> str:
    group, point = STYLES[style]
    return f"{sign}{group(whole)}{point}{decimals}" if decimals else f"{sign}{group(whole)}"


def canonical(sign: str, whole: int, decimals: str) -> str:
    value = Fraction(f"{whole}.{decimals or 0}")
    return canonical_value(-value if sign else value)


@pytest.mark.parametrize("style", STYLES)
@given(sign=SIGNS, whole=WHOLES, decimals=DECIMALS, dress=st.sampled_from(DRESSES))
def test_a_number_in_any_style_reads_back(style: str, sign: str, whole: int, decimals: str, dress: str) -> None:
    answer = read_answer(NUMBER, dress.format(written(style, sign, whole, decimals)), cut=False)
    assert (answer.status, answer.value) == (Status.OK, canonical(sign, whole, decimals))


@given(whole=WHOLES, decimals=st.text(string.digits, min_size=1, max_size=2))
def test_continental_numbers_read_back(whole: int, decimals: str) -> None:
    text = f" {grouped(whole, '.')},{decimals}"
    assert read_answer(NUMBER, text, cut=False).value == canonical("", whole, decimals)


@given(whole=st.integers(0, 10**6), glued=st.text(string.ascii_letters + "_@#^\\\u00e9\u4e16", min_size=1, max_size=6))
def test_what_touches_a_number_and_is_unknown_leaves_nothing_to_read(whole: int, glued: str) -> None:
    known = read_answer(NUMBER, f" 0{glued}", cut=False).status is Status.OK  # a unit, or "0e5"
    answer = read_answer(NUMBER, f" {whole}{glued}", cut=False)
    assert answer.status is Status.UNPARSED or (known and answer.value == str(whole))


@given(whole=st.integers(10, 10**9), data=st.data())
def test_no_part_of_a_number_is_read_where_the_limit_cut_it(whole: int, data: st.DataObject) -> None:
    text = f" {data.draw(st.sampled_from([str(whole), grouped(whole, ','), grouped(whole, ' ')]))}"
    part = text[: data.draw(st.integers(1, len(text)))]
    assert read_answer(NUMBER, part, cut=True).status is Status.TRUNCATED


@pytest.mark.parametrize(("text", "number"), [("0", "0"), ("10", "10"), ("007", "7"), ("00", "0"), ("\u0663", "3")])
def test_whole_numbers_in_digits_are_read_as_the_numbers_that_they_are(text: str, number: str) -> None:
    assert canonical_number(text) == canonical_number(int(text)) == number


@given(st.fractions(max_denominator=10**6))
def test_canonical_numbers_are_exact_and_their_own_canonical_form(value: Fraction) -> None:
    text = canonical_value(value)
    assert Fraction(text) == value
    assert canonical_number(text) == text
    assert read_answer(NUMBER, f" {text}", cut=False).value == text


@given(st.text(max_size=60), st.booleans())
def test_any_text_can_be_read(text: str, cut: bool) -> None:
    for item in (NUMBER, COLOURS, TRUE_FALSE, TEXT):
        answer = read_answer(item, text, cut)
        assert (answer.status is Status.OK) == (answer.value is not None)
        assert answer.value in (None, answer.strict, answer.loose)


@given(st.text(max_size=40))
def test_comparable_text_is_its_own_comparable_text(text: str) -> None:
    assert comparable_text(comparable_text(text)) == comparable_text(text)


@pytest.mark.parametrize("unit", ["km", "kg", "m\N{SUPERSCRIPT TWO}", "cm^3", "km/h", "\N{DEGREE SIGN}C", "mph", "%"])
def test_known_units_may_touch_a_number(unit: str) -> None:
    assert read_answer(NUMBER, f" 12,345.5{unit}", cut=False).value == "12345.5"
    assert UNIT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(1, 2]", "[1, 2)"),
        ("[1, 2]", "(1, 2)"),
        ("5 mW", "5 MW"),
        ("5mW", "5MW"),
        ("3 Mb", "3 MB"),
        ("2 mm", "2 Mm"),
        ("a, b", "b, a"),
        ("] )", "] ]"),
        ("-3", "3"),
        ("n!", "n"),
        ("c++", "c"),
        ("x > 1", "x < 1"),
        ("{1}", "1"),
    ],
)
def test_marks_that_bear_meaning_are_kept(one: str, other: str) -> None:
    assert comparable_text(one) != comparable_text(other)
    assert canonical_text(one) != canonical_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Lovelace.", "ada  lovelace"),
        ('"Paris"', "paris"),
        ("**Paris**", "Paris!"),
        ("(Paris)", "paris"),
        ("\N{MINUS SIGN}3", "-3"),
        ("5 KM", "5 km"),
        ("10 AM", "10 am"),
        ("3 Apples", "3 apples"),
        ("KB 5 KB", "kb 5 kB"),
        ("x\N{SUPERSCRIPT TWO}", "x^2"),
        ("\\text{Paris}", "paris"),
    ],
)
def test_marks_without_meaning_are_not(one: str, other: str) -> None:
    assert comparable_text(one) == comparable_text(other)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1/2", "0.5"),
        ("2/6", "1/3"),
        ("1e3", "1000"),
        ("1.2 \N{MULTIPLICATION SIGN} 10^3", "1200"),
        ("5%", "5"),
        ("$1,234", "1234"),
        ("\N{MINUS SIGN}5", "-5"),
        ("-$5", "-5"),
        ("3.000,00", "3000"),
        ("12 000", "12000"),
        ("1 1/2", "1.5"),
        ("\\frac{3}{4}", "0.75"),
        ("5 apples", None),
        ("5km", None),
        ("5 or 6", None),
        ("12:30", None),
        ("2024-01-05", None),
        ("3-5", None),
        ("about 5", None),
        ("forty", None),
        ("1.2.3", None),
        ("1/0", None),
        ("9e999999999", None),
        ("9" * 5000, None),
    ],
)
def test_golds_are_numbers_as_a_whole_or_none(value: str, number: str | None) -> None:
    assert canonical_number(value) == number


def test_a_third_is_a_number_and_no_decimal() -> None:
    assert (canonical_number("1/3"), decimal_number("1/3"), decimal_number("1/4")) == ("1/3", None, "0.25")
    assert read_answer(NUMBER, " 0.333", cut=False).value != canonical_number("1/3")
