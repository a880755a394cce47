"""Labels from and to files: what is taken, what is refused whole, and what an imported label is worth."""

import csv
import json

import pytest
from runs_here import copy_of, finish
from texts_to_label import SPEC

from cotfaith.cluster.labelling.draw import Draw
from cotfaith.cluster.labelling.population import by_stratum, read_population
from cotfaith.cluster.labelling.read import labels_in, read_labels
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import open_store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("labels"), SPEC)


@pytest.fixture
def store(finished, tmp_path, monkeypatch):
    return open_store(str(copy_of(finished, tmp_path, monkeypatch)))


@pytest.fixture
def order(store):
    """The keys of the texts that switched, in the order of the question present."""
    run = load_run(store)
    draw = Draw(run.run_id, "present", read_population(store, run, read_ledger(store, run)), False)
    return [unit.key for unit in draw.queue(lambda one: one.switched, False)]


def largest_cell(store, order):
    """The keys of the texts that are drawn together with most others, in their order."""
    run = load_run(store)
    units = read_population(store, run, read_ledger(store, run)).units
    cells = by_stratum([units[key] for key in order])
    own = max(cells.values(), key=len)
    assert len(own) > 3
    return [unit.key for unit in own]


@pytest.fixture
def take(cli, store, tmp_path):
    """A function that imports records by anna and returns (code, what was said in one line)."""

    def do(*records, name="labels.csv", by="anna"):
        path = tmp_path / name
        if name.endswith(".csv"):
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, dict.fromkeys(name for record in records for name in record))
                writer.writeheader()
                writer.writerows(records)
        else:
            path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        code, out, err = cli("label", "run", "--import", name, "--labeller", by)
        return code, " ".join((out + err).split())

    return do


def said(key, label, question="present", **more):
    return {"text_hash": key.text_hash, "question": question, "label": label, "hint_asked": key.hint} | more


def test_words_of_all_kinds(take, store, order):
    words = ["yes", "No", "?", "TRUE", "0", "cannot tell"]
    assert take(*(said(*pair) for pair in zip(order, words, strict=False))) == (
        0,
        "6 labels by anna read: 6 texts labelled.",
    )
    found = {(one.text_hash, one.hint_asked): one for one in labels_in(store)}
    assert [found[key].label for key in order[:6]] == [True, False, None, True, False, None]
    assert {(one.order, one.probability, one.skipped) for one in found.values()} == {(None, None, False)}


def test_json_lines_with_booleans_and_texts(take, store, order):
    chains = read_tables(store)["chains"].filter(target="B").to_dicts()
    text, hint = chains[0]["text"], chains[0]["intervention"]
    record = {"text": text, "question": "relied", "label": False, "hint_asked": hint}
    assert take(record, name="l.jsonl")[0] == 0
    assert [(one.question, one.label) for one in labels_in(store)] == [("relied", False)]


def test_without_a_hint_the_label_counts_under_each_hint_with_this_text(take, store):
    chains = read_tables(store)["chains"].to_dicts()
    texts = {}
    for row in chains:
        if row["target"] is not None and row["status"] == "ok":
            texts.setdefault(row["text"], set()).add(row["intervention"])
    text, hints = max(texts.items(), key=lambda pair: len(pair[1]))
    assert take({"text": text, "question": "present", "label": "no"})[0] == 0
    assert {one.hint_asked for one in labels_in(store)} == hints


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "maybe"}, "record 1 (counted from 0): label is 'maybe', expected yes, no"),
        ({"label": ""}, "record 1 (counted from 0): label is '', expected yes, no"),
        ({"question": "named"}, "record 1 (counted from 0): question is 'named', expected present, relied, checked"),
        ({"probability": "0"}, "record 1 (counted from 0): probability is '0', expected more than 0"),
        ({"probability": "nine"}, "probability is 'nine'"),
        ({"labeller": "bob"}, "the label is by 'bob', and --labeller is 'anna'"),
        ({"text_hash": ""}, "it has neither text_hash nor text"),
        ({"text": "another text"}, "text_hash is not the SHA-256 of text"),
        ({"text_hash": "0" * 64}, "got 2 labels, and only 1 of them are of texts of this run"),
        ({"hint_asked": "hint_consistency"}, "got 2 labels, and only 1 of them are of texts of this run"),
    ],
)
def test_a_file_with_one_label_that_cannot_be_used_is_refused_whole(take, store, order, change, message):
    columns = {"probability": "1", "labeller": "anna", "text": ""}
    code, told = take(said(order[0], "yes", **columns), said(order[1], "no", **columns) | change)
    assert (code, message in told) == (2, True), told
    assert labels_in(store) == []


def test_a_file_for_another_run_is_refused_with_counts(take, store):
    records = [{"text_hash": f"{n:064x}", "question": "present", "label": "yes"} for n in range(7)]
    code, told = take(*records)
    assert (code, "got 7 labels, and none of them is of texts of this run" in told) == (2, True), told


def test_two_labels_of_one_text(take, store, order):
    one, other = said(order[0], "yes"), said(order[0], "no")
    code, told = take(one, said(order[1], "no"), other)
    assert (code, "record 0 (counted from 0), and" in told, "record 2" in told) == (2, True, True), told
    assert labels_in(store) == []
    assert take(one, one)[1] == "2 labels by anna read: 1 texts labelled."


def test_a_person_who_said_something_else_before_is_asked_to_choose(take, cli, store, order):
    assert take(said(order[0], "yes"), said(order[1], "no"))[0] == 0
    before = {one.key: one for one in labels_in(store)}
    code, told = take(said(order[2], "yes"), said(order[1], "yes"))
    assert code == 2
    assert "anna labelled 1 of these texts before, and 1 otherwise" in told
    assert "record 1 (counted from 0) says 'yes' (present), the run has 'no'" in told
    assert {one.key: one for one in labels_in(store)} == before
    assert take(said(order[2], "yes"), said(order[1], "no"))[1].endswith("1 texts labelled; 1 were there already.")
    assert take(said(order[1], "yes"), by="bob")[0] == 0


def test_an_imported_label_has_the_probability_of_its_file_until_it_is_drawn(take, cli, store, order, monkeypatch):
    import io

    own = largest_cell(store, order)
    take(said(own[0], "yes"), said(own[-1], "no", probability=""), said(own[-2], "no", probability="0.25"))
    found = {(one["text_hash"], one["hint_asked"]): one["probability"] for one in read_labels(store).to_dicts()}
    assert found[own[-2]] == 0.25
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n" * 100))
    cli("label", "run", "--labeller", "anna")
    rows = read_labels(store)
    assert rows["probability"].to_list() == [1.0] * len(order)
    assert rows["order"].null_count() == 3


def test_labels_go_out_and_come_back(take, cli, store, order, tmp_path):
    take(said(order[0], "yes"), said(order[1], "?"), said(order[2], "no", "relied", probability="0.5"))
    for name in ("out.csv", "out.jsonl"):
        assert cli("label", "run", "--export", name)[0] == 0
        code, out, _ = cli("label", "run", "--import", name, "--labeller", "anna")
        assert (code, "3 labels by anna read: 0 texts labelled; 3 were there already." in out) == (0, True)
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(row["label"] for row in rows) == ["cannot tell", "no", "yes"]
    with (tmp_path / "out.csv").open() as file:
        assert [row["text_hash"] for row in csv.DictReader(file)] == [row["text_hash"] for row in rows]


def test_exports_that_cannot_be_written(take, cli, order, tmp_path):
    assert "The run has no labels." in cli("label", "run", "--export", "a.csv")[2]
    take(said(order[0], "yes"))
    assert "The run has no labels by bob." in cli("label", "run", "--export", "a.csv", "--labeller", "bob")[2]
    assert "ends in .csv or .jsonl" in " ".join(cli("label", "run", "--export", "a.parquet")[2].split())
    (tmp_path / "a.csv").write_text("mine")
    code, _, err = cli("label", "run", "--export", "a.csv")
    assert (code, "not written over" in " ".join(err.split())) == (2, True)
    assert (tmp_path / "a.csv").read_text() == "mine"
