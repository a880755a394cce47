"""Who wrote a chain that came with its item: kept in items and chains, and what a task is chosen by."""

import json
from dataclasses import replace

import pytest
import yaml
from runs_here import finish

from cotfaith.cluster.storage.parts import in_schema
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item, Supplied
from cotfaith.schemas.spec import TaskSpec, parse_spec
from cotfaith.workers.shard.rows import RowKey, chains_from_table, item_from_row, items_table
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.fingerprint import fingerprint

RECORD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "answer": "5", "gold": "5"}
AUTHORS = ("org/a", "b", "org/a", None, " b ")
KEY = RowKey("r", "m", "t")
FINGERPRINT = "cb2237bf02cbb4e7ad8e316b15211b06741fdecf971e746e5c2da9a7197ba9ef"


@pytest.fixture
def file(tmp_path):
    records = [RECORD | {"id": f"i{at}"} | ({"author": who} if who else {}) for at, who in enumerate(AUTHORS)]
    (tmp_path / "chains.jsonl").write_text("\n".join(map(json.dumps, records)))
    return tmp_path / "chains.jsonl"


def load(file, **more):
    return load_task(TaskSpec.model_validate({"name": "t", "file": str(file), "adapter": "chains"} | more), 0)


def test_a_task_takes_the_chains_of_one_author(file):
    assert [item.supplied.author for item in load(file)] == ["org/a", "b", "org/a", None, "b"]
    assert [item.id for item in load(file, author="org/a")] == ["i0", "i2"]
    assert [item.id for item in load(file, author="b")] == ["i1", "i4"]
    assert [item.id for item in load(file, author="b", n=1)] == ["i1"]


def test_an_author_that_wrote_nothing_is_named_with_those_that_did(file):
    with pytest.raises(TaskError, match=r"task 't': Unknown author 'org/A'. Did you mean 'org/a'\? Known: b, org/a"):
        load(file, author="org/A")


def test_only_files_of_chains_have_authors(tmp_path):
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "2?", "gold": "2"}))
    with pytest.raises(SpecError, match="does not take 'author'"):
        load_task(TaskSpec(name="t", file=str(tmp_path / "q.jsonl"), adapter="gsm8k", author="a"), 0)
    with pytest.raises(SpecError, match="does not take 'author'"):
        load_task(TaskSpec(name="t", generator="addition", author="a"), 0)


def test_rows_of_items_and_chains_have_the_author(file, tmp_path):
    spec = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [
            {"name": "t", "file": str(file), "adapter": "chains"},
            {"name": "own", "generator": "addition", "n": 2},
        ],
        "output": {"path": "run"},
    }
    tables = read_tables(LocalStore(finish(tmp_path, spec) / "run"))
    for name, column in (("items", "supplied_author"), ("chains", "author")):
        rows = tables[name].sort("task", "item_id").select("task", column).rows()
        assert rows == [("own", None)] * 2 + [("t", who and who.strip()) for who in AUTHORS]
    again = chains_from_table(tables["chains"].sort("item_id").to_arrow())
    assert [chain.author for chain in again if chain.finish_reason == "supplied"][:2] == ["org/a", "b"]


def test_the_author_is_in_the_rows_and_no_part_of_what_the_items_are(file):
    """Runs that were begun before items had it as a field can go on."""
    (item, *_) = load(file)
    assert item_from_row(items_table(KEY, [item]).to_pylist()[0]) == item
    bare = replace(item, supplied=replace(item.supplied, author=None))
    assert fingerprint([item]) == fingerprint([bare])
    assert fingerprint([item]) != fingerprint([replace(item, metadata=(("author", "other"),))])


def test_fingerprints_are_as_they_were():
    """Computed before items had the field; a change would refuse runs that are there."""
    supplied = Supplied((" One. ", "So 2."), "2", True, (True, None), author="x")
    found = Item("i", "1 + 1?", "2", "number", metadata=(("author", "x"),), supplied=supplied)
    assert fingerprint([found, Item("j", "Which?", "A", "choice", ("a", "b"))]) == FINGERPRINT


def test_older_rows_get_it_from_their_metadata(file):
    table = items_table(KEY, load(file))
    assert in_schema(without_author(table), "items").equals(table)
    plain = items_table(KEY, [Item("i", "1?", "1", "number", metadata=(("author", "who asked"),))])
    assert in_schema(without_author(plain), "items")["supplied_author"].to_pylist() == [None]


def without_author(table):
    """The items as version 5 could write them; version 6 always has the column."""
    older = table.drop_columns("supplied_author")
    return older.replace_schema_metadata(older.schema.metadata | {b"cotfaith.schema_version": b"5"})


class TestImport:
    """``cotfaith import`` prints the spec in which each author reads its own chains."""

    def printed(self, cli, folder, monkeypatch, authors):
        monkeypatch.chdir(folder)
        records = [RECORD | ({"author": who} if who is not None else {}) for who in authors]
        (folder / "in.jsonl").write_text("\n".join(map(json.dumps, records)))
        code, out, err = cli("import", "in.jsonl", "--out", "out.jsonl")
        assert code == 0, err
        return out

    def spec(self, out):
        return yaml.safe_load(out[out.index("models:") :])

    def test_a_model_and_a_task_for_each_author(self, cli, tmp_path, monkeypatch):
        out = self.printed(cli, tmp_path, monkeypatch, AUTHORS)
        found = self.spec(out)
        assert found["models"] == [{"id": "a", "source": "org/a"}, {"id": "b", "source": "b"}]
        assert [(t["name"], t["author"], t["n"], t["models"]) for t in found["tasks"]] == [
            ("out-a", "org/a", 2, ["a"]),
            ("out-b", "b", 2, ["b"]),
        ]
        assert "Note: 1 chains name no author: none of these tasks has them." in out
        assert "set each source to the weights of that author" in out
        spec = parse_spec(found)
        assert [len(load_task(task, 0)) for task in spec.tasks] == [2, 2]
        assert [spec.answers(model, "out-a") for model in "ab"] == [True, False]

    def test_ids_are_names_and_differ(self, cli, tmp_path, monkeypatch):
        authors = ["x/m", "y/m", "z/m", "m-2", "a b/c d: [e]", "日本", "/", "l" * 300]
        spec = parse_spec(self.spec(self.printed(cli, tmp_path, monkeypatch, authors)))
        ids = [model.id for model in spec.models]
        assert ids[:6] == ["m", "m-2", "m-3", "m-2-2", "c-d-e", "model"]
        assert len(set(ids)) == len({task.name for task in spec.tasks}) == len(authors)
        assert [load_task(task, 0)[0].supplied.author for task in spec.tasks] == authors

    def test_one_author_needs_one_task(self, cli, tmp_path, monkeypatch):
        (task,) = self.spec(self.printed(cli, tmp_path, monkeypatch, ["org/a"] * 3))["tasks"]
        assert (task["name"], task["author"], task["models"], task["n"]) == ("out", "org/a", ["a"], 3)

    @pytest.mark.parametrize(("authors", "said"), [([None], False), ([f"a{n}" for n in range(21)], True)])
    def test_no_author_and_too_many_give_one_task_for_all(self, cli, tmp_path, monkeypatch, authors, said):
        out = self.printed(cli, tmp_path, monkeypatch, authors)
        (task,) = yaml.safe_load(out[out.index("tasks:") :])["tasks"]
        assert (task["n"], "author" in task, "models" in task) == (len(authors), False, False)
        assert ("21 authors: a task takes the chains of one with `author: NAME`." in out) is said
