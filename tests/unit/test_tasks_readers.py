"""The limits of readers: any file is read completely or refused with the place of the error, never with a traceback."""

import codecs
import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.files import read_records

ROWS = [{"q": "a", "n": "1"}, {"q": "b", "n": "2"}]
FIELDS = {"question": "q", "gold": "n"}
PACKED = gzip.compress(b"q,n\na,1\n", mtime=0)  # without the time: a test has one name in all processes


def saved(tmp_path: Path, name: str, data: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def mapped(path: Path, **fields: str) -> list[Item]:
    return load_task(TaskSpec(name="t", file=str(path), fields=FIELDS | fields), 0)


class TestKinds:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("f.tsv", "q\tn\na\t1\nb\t2\n"),
            ("F.TSV", "q\tn\r\na\t1\r\nb\t2\r\n"),
            ("f.csv", "q;n\na;1\nb;2\n"),
            ("f.csv", '"q";"n"\n"a";"1"\n"b";"2"\n'),
            ("f.csv", "q\tn\na\t1\nb\t2\n"),
            ("f.csv", "q,n,,\na,1,,\nb,2,,\n"),
        ],
    )
    def test_separators(self, tmp_path: Path, name: str, text: str) -> None:
        assert read_records(saved(tmp_path, name, text)) == ROWS

    def test_a_comma_is_the_separator_where_it_can_be(self, tmp_path: Path) -> None:
        assert read_records(saved(tmp_path, "f.csv", "q,n\na; b,1\n")) == [{"q": "a; b", "n": "1"}]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("f.jsonl.gz", '{"q": "a", "n": "1"}\n{"q": "b", "n": "2"}'),
            ("f.json.gz", '[{"q": "a", "n": "1"}, {"q": "b", "n": "2"}]'),
            ("f.csv.gz", "q,n\na,1\nb,2\n"),
            ("my.data.TSV.GZ", "q\tn\na\t1\nb\t2\n"),
        ],
    )
    def test_gzip(self, tmp_path: Path, name: str, text: str) -> None:
        assert read_records(saved(tmp_path, name, gzip.compress(text.encode()))) == ROWS

    def test_words_for_nothing_in_a_packed_csv(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "f.csv.gz", gzip.compress(b"q,n\na,None\n", mtime=0))
        with pytest.raises(TaskError, match=r"field 'n' is empty \('None' means missing\)"):
            mapped(path)

    @pytest.mark.parametrize("data", [b"plain text", PACKED[:-9], PACKED[:15] + b"\0\0\0\0"])
    def test_broken_gzip(self, tmp_path: Path, data: bytes) -> None:
        with pytest.raises(TaskError, match="not a complete gzip file"):
            read_records(saved(tmp_path, "f.csv.gz", data))

    @pytest.mark.parametrize("name", ["f.gz", "f.txt.gz", "f.zip", "f", ".gz"])
    def test_no_known_kind(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(TaskError, match=r"cannot tell what kind of file.*\.tsv"):
            read_records(saved(tmp_path, name, "x"))


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    @pytest.mark.parametrize(
        ("name", "text"),
        [("f.csv", "q,n\nü €,1\n"), ("f.tsv", "q\tn\nü €\t1\n"), ("f.jsonl", '{"q": "ü €", "n": "1"}')],
    )
    def test_unicode_with_its_mark(self, tmp_path: Path, encoding: str, name: str, text: str) -> None:
        assert read_records(saved(tmp_path, name, text.encode(encoding))) == [{"q": "ü €", "n": "1"}]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("q,n\nü,1\n".encode("latin-1"), "not UTF-8 text"),
            ("q,n\na,1\n".encode("utf-16-le"), "a NUL character"),
            (codecs.BOM_UTF16_LE + b"q,n", "not UTF-16 text"),
            (b"q,n\na\0,1\n", "a NUL character at 5"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, data: bytes, message: str) -> None:
        with pytest.raises(TaskError, match=message):
            read_records(saved(tmp_path, "f.csv", data))


class TestHalves:
    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("f.jsonl", '{"q": "half \\ud83d", "n": "1"}'),
            ("f.json", '[{"q": "half \\ude00", "n": "1"}]'),
            ("f.csv", b"q,n\nhalf \xed\xa0\xbd,1\n"),
            ("f.jsonl", b'{"q": "half \xed\xb8\x80", "n": "1"}'),
        ],
    )
    def test_become_a_replacement_and_are_counted(self, tmp_path: Path, name: str, data: Any) -> None:
        with pytest.warns(UserWarning, match=r"record 0 .*half of a surrogate pair.*1 of 1 records"):
            (item,) = mapped(saved(tmp_path, name, data))
        assert item.question == "half \ufffd"

    def test_in_ids_choices_and_golds(self, tmp_path: Path) -> None:
        text = '{"i": "\\ud83d", "q": "?", "c": ["\\ud83d x", {"no": 1}], "n": "\\ud83d x"}'.replace(
            ', {"no": 1}', ', "y"'
        )
        with pytest.warns(UserWarning, match="surrogate"):
            (item,) = mapped(saved(tmp_path, "f.jsonl", text), id="i", choices="c")
        assert (item.id, item.choices, item.gold) == ("\ufffd", ("\ufffd x", "y"), "A")

    def test_in_json_within_a_text(self, tmp_path: Path) -> None:
        text = 'q,c,n\n?,"[""\\ud83d x"", ""y""]",y\n'
        (item,) = mapped(saved(tmp_path, "f.csv", text), choices="c")
        assert item.choices == ("\ufffd x", "y")

    def test_a_whole_pair_is_one_character(self, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (item,) = mapped(saved(tmp_path, "f.jsonl", '{"q": "\\ud83d\\ude00", "n": "1"}'))
        assert item.question == "\U0001f600"

    @pytest.mark.parametrize("text", ['{"tasks": [{"name": "\\ud83d"}]}', '{"models": [{"system": "\\ude00"}]}'])
    def test_a_spec_is_refused(self, tmp_path: Path, text: str) -> None:
        from cotfaith.cluster.plan.spec_file import load_spec

        with pytest.raises(SpecError, match=r"spec\.yaml: a text holds half of a surrogate pair"):
            load_spec(saved(tmp_path, "spec.yaml", text))


class TestCsv:
    @pytest.mark.parametrize("n", [131_073, 1_000_000])
    def test_a_long_value(self, tmp_path: Path, n: int) -> None:
        (item,) = mapped(saved(tmp_path, "f.csv", f'q,n\n"{"x" * n}",1\n'))
        assert len(item.question) == n

    def test_without_a_header_columns_have_numbers(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "f.csv", "Which?,one,two,B\nAnd?,three,four,A\n")
        items = mapped(path, question="1", choices="2,3", gold="4")
        assert [(item.question, item.choices, item.gold) for item in items] == [
            ("Which?", ("one", "two"), "B"),
            ("And?", ("three", "four"), "A"),
        ]

    @pytest.mark.parametrize("header", ["question,answer", "Prompt,x", "id,y"])
    def test_numbers_for_a_file_with_a_header_are_refused(self, tmp_path: Path, header: str) -> None:
        with pytest.raises(TaskError, match=r"columns are named by number.*but the first line looks like a header"):
            mapped(saved(tmp_path, "f.csv", f"{header}\na,1\n"), question="1", gold="2")

    def test_a_header_of_numbers_is_a_header(self, tmp_path: Path) -> None:
        (item,) = mapped(saved(tmp_path, "f.csv", "1,2\na,x\n"), question="1", gold="2")
        assert (item.question, item.gold) == ("a", "x")

    def test_a_column_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"field '7' is missing; the record has 1, 2"):
            mapped(saved(tmp_path, "f.csv", "a,x\n"), question="1", gold="7")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("q,n,\na,1,x\nb,2,y\n,,\nc,3", "line 5: expected 3 values as in the header, got 2"),
            ("q;n\na;1;2\n", "line 2: expected 2 values"),
            ("q,,\na,1,2\n", "two columns have the same name"),
            ('q,n\n"a,1\nb,2\n', "not CSV"),
        ],
    )
    def test_bad_widths_and_quotes(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(TaskError, match=message):
            read_records(saved(tmp_path, "f.csv", text))


class TestJson:
    WANTED = ("q", "n")

    @pytest.mark.parametrize(
        "text",
        [
            '{"model": "m", "results": [{"q": "a", "n": "1"}], "errors": []}',
            '{"errors": [], "skipped": [], "results": [{"q": "a", "n": "1"}]}',
            '{"results": [{"q": "a", "n": "1"}], "errors": [{"message": "x"}]}',
            '{"q": "a", "n": "1"}',
            '[{"q": "a", "n": "1"}]',
        ],
    )
    def test_records_are_found(self, tmp_path: Path, text: str) -> None:
        assert read_records(saved(tmp_path, "f.json", text), self.WANTED) == [{"q": "a", "n": "1"}]

    def test_one_record_with_a_list_of_its_own(self, tmp_path: Path) -> None:
        text = '{"q": "a", "n": "1", "steps": [{"text": "x"}], "examples": [{"q": "no"}]}'
        (record,) = read_records(saved(tmp_path, "f.json", text), self.WANTED)
        assert record["q"] == "a"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                '{"train": [{"q": "a", "n": 1}], "test": [{"q": "b", "n": 2}]}',
                r"an object with 2 \(keys: train, test\)",
            ),
            ('{"a": [], "b": []}', "has no records"),
            ('{"q": "a", "rows": []}', "has no records"),
            ('{"q": {"0": "a"}, "x": {"0": "1"}}', r"an object with 0 .*One record has q, n"),
            ('[{"q": "a", "q": "b"}]', "an object has the key 'q' twice"),
            ('{"q": "a", "n": 1, "n": 2}', "not JSON: an object has the key 'n' twice"),
            ("[" * 100_000, "too deep"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(TaskError, match=message):
            read_records(saved(tmp_path, "f.json", text), self.WANTED)

    def test_a_key_twice_in_a_line(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match="line 2: not JSON: an object has the key 'n' twice"):
            read_records(saved(tmp_path, "f.jsonl", '{"q": "a"}\n{"q": "a", "n": 1, "n": 2}\n'))

    @pytest.mark.parametrize("number", ["1" * 5000, "1e400", "-1e999", "Infinity", "-Infinity"])
    @pytest.mark.parametrize("answer_format", ["number", "text"])
    def test_numbers_that_are_not_finite(self, tmp_path: Path, number: str, answer_format: Any) -> None:
        path = saved(tmp_path, "f.jsonl", f'{{"q": "a", "n": {number}}}')
        with pytest.raises(TaskError, match=r"record 0 .*gold -?inf is not a"):
            load_task(TaskSpec(name="t", file=str(path), fields=FIELDS, answer_format=answer_format), 0)

    def test_a_long_number_that_nobody_reads_is_no_hindrance(self, tmp_path: Path) -> None:
        assert mapped(saved(tmp_path, "f.jsonl", f'{{"q": "a", "n": "x", "other": {"1" * 5000}}}'))

    def test_exact_numbers(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "f.jsonl", f'{{"q": "a", "n": {10**40 + 1}}}')
        (item,) = load_task(TaskSpec(name="t", file=str(path), fields=FIELDS, answer_format="number"), 0)
        assert item.gold == str(10**40 + 1)


def test_a_file_may_be_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "f.json", json.dumps(ROWS))

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(TaskError, match="cannot be read: Permission denied"):
        read_records(path)
