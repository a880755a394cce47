"""The tables of texts: what is read from them, by kind. ``pytest -s`` prints the table and the rows that are wrong."""

from collections import Counter

import answer_texts
import answer_texts_hard
import pytest
from answer_texts import Row

from cotfaith.schemas.records import Item
from cotfaith.schemas.status import Status
from cotfaith.workers.text.answers import read_answer

TABLES = {"texts": answer_texts, "hard texts": answer_texts_hard}
LEAST_RIGHT = 0.95


def outcome(item: Item, text: str, cut: bool, wanted: str | Status) -> str:
    answer = read_answer(item, text, cut)
    got = answer.value if answer.status is Status.OK else answer.status
    return "right" if got == wanted else "misread" if answer.status is Status.OK else "lost"


def outcomes(rows: list[tuple[Row, bool]]) -> list[tuple[Row, str]]:
    return [(row, outcome(row[1], row[2], cut, row[3])) for row, cut in rows]


@pytest.fixture(params=sorted(TABLES))
def read(request: pytest.FixtureRequest) -> list[tuple[Row, str]]:
    table = TABLES[request.param]
    return outcomes([(row, False) for row in table.WHOLE] + [(row, True) for row in table.CUT])


def test_texts_are_read_as_a_careful_person_reads_them(read: list[tuple[Row, str]]) -> None:
    counts = Counter((row[0], how) for row, how in read)
    for kind in dict.fromkeys(row[0] for row, _ in read):
        print(kind.ljust(24), {how: counts[kind, how] for how in ("right", "misread", "lost")})
    wrong = [(how, *row[::2], row[3]) for row, how in read if how != "right"]
    print(*wrong, sep="\n")
    assert len(read) >= 200
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(read), wrong


def test_no_number_and_no_choice_is_misread(read: list[tuple[Row, str]]) -> None:
    closed = [(row, how) for row, how in read if row[1].answer_format != "text"]
    assert len(closed) >= 200
    assert [row for row, how in closed if how == "misread"] == []


def test_rows_differ() -> None:
    rows = [(row[1], row[2]) for table in TABLES.values() for row in table.WHOLE]
    assert [row for row, count in Counter(rows).items() if count > 1] == []
