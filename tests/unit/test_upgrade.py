"""Rows that version 3 wrote: what it kept in labels, edits and metadata is in columns once they are read."""

import json

import pytest
from old_runs import SINCE, as_version

from cotfaith.cluster.storage.parts import in_schema
from cotfaith.schemas.records import Answer, Chain, Hint, Item, Observation, Supplied
from cotfaith.schemas.status import Status
from cotfaith.schemas.tables import OBSERVATIONS, table_of
from cotfaith.workers.shard.rows import RowKey, chains_table, item_from_row, items_table, observations_table
from cotfaith.workers.shard.work import ItemObservation

KEY = RowKey("r", "m", "t")
ITEM = Item("a", "Which is red?", "B", "choice", ("sky", "blood", "leaf"), metadata=(("author", "me"),))


def old_item(**about):
    pairs = [{"key": key, "value": value} for key, value in about.items()]
    return in_schema(as_version(3, items_table(KEY, [ITEM]), "items", metadata=[pairs]), "items").to_pylist()[0]


@pytest.mark.parametrize("setting", ["outright", "diversionary"])
def test_an_item_s_metadata_become_fields(setting):
    labels = {"supplied_label": "false", "supplied_step_labels": json.dumps([True, None]), "supplied_answer": "A"}
    chain = {"supplied_steps": json.dumps([" One.", " Two."]), **labels}
    known = {"hint": "A", "hint_style": "authority", "setting": setting, "bottlenecks": json.dumps(["7", "x"])}
    row = old_item(author="me", **chain, **known)
    item = item_from_row(row)
    assert item.supplied == Supplied((" One.", " Two."), "A", False, (True, None), "me")
    assert item.hint == Hint("A", "authority")
    assert (item.setting, item.bottlenecks, item.metadata) == (setting, ("7", "x"), (("author", "me"),))


def test_an_item_without_such_metadata_has_none():
    assert item_from_row(old_item(author="me")) == ITEM


def observation(arm, **about):
    return Observation(arm, Answer(Status.OK, "B", candidates=("A", "B"), logprobs=(-1.0, -2.0)), **about)


def old_rows(probe, arms, **columns):
    rows = [ItemObservation(ITEM, "cot", probe, observation(arm)) for arm in arms]
    table = as_version(3, observations_table(KEY, rows), "observations", **columns)
    return in_schema(table, "observations").to_pylist()


def test_conditions_of_shuffled_choices_and_their_order():
    arms = ["none", "once r=0", "twice r=0", "once r=0 cot", "once r=12 cot", "probe"]
    edits = {
        "edit": ["ABC", "CAB", "BCA", "CAB", "CBA", None],
        "edit_changed": [False, True, True, True, True, None],
        "editor": ["shuffle"] * 5 + [None],
    }
    rows = old_rows("answer_order", arms, **edits)
    assert [row["condition"] for row in rows] == ["none", "once", "twice", "once_cot", "once_cot", None]
    assert [row["shown_choices"] for row in rows[:2]] == [["A", "B", "C"], ["C", "A", "B"]]
    assert rows[5]["shown_choices"] is None
    assert {(row["edit"], row["edit_changed"], row["editor"]) for row in rows} == {(None, None, None)}


def test_conditions_of_paraphrases_and_their_baseline():
    rows = old_rows("paraphrasing", ["k=1", "resample k=1", "chain", "probe"], edit=["x", None, None, None])
    assert [row["condition"] for row in rows] == ["paraphrased", "resampled", None, None]
    assert [row["edit"] for row in rows] == ["x", None, None, None]


def test_readings_of_before_they_could_be_partial_have_no_share():
    rows = [ItemObservation(ITEM, "cot", "mentions", observation("q", reader="j", reader_role="judge", read_share=0.5))]
    table = observations_table(KEY, rows)
    assert table.column("read_share").to_pylist() == [0.5]
    assert in_schema(as_version(5, table, "observations"), "observations").column("read_share").to_pylist() == [None]


def test_other_probes_have_no_condition_and_readers_have_a_role():
    rows = old_rows("transfer", ["reader=m", "reader=b"], reader=["m", "b"])
    assert [(row["condition"], row["reader_role"], row["variant"]) for row in rows] == [(None, "reader", "plain")] * 2
    (row,) = old_rows("no_cot", ["once r=0"])
    assert (row["condition"], row["reader_role"]) == (None, None)


def test_chains_of_before_there_were_variants_are_plain():
    chain = Chain("a", 0, " One.", (" One.",), Answer(Status.OK, "B"), Status.OK, 2, "stop", 1)
    table = in_schema(as_version(3, chains_table(KEY, [ITEM], [chain]), "chains"), "chains")
    assert table.column("variant").to_pylist() == ["plain"]
    assert table.column("target").null_count == 1


def test_what_is_written_now_is_read_as_it_is():
    supplied = Supplied((" One.",), None)
    item = Item("b", "?", "true", "boolean", ("Yes", "No"), supplied=supplied, pair="p", side="x", group="g")
    (row,) = in_schema(items_table(KEY, [item]), "items").to_pylist()
    assert item_from_row(row) == item
    made = observation("once r=0", shown_choices=("B", "A"))
    table = observations_table(KEY, [ItemObservation(ITEM, "cot", "answer_order", made)])
    (row,) = in_schema(table, "observations").to_pylist()
    assert (row["condition"], row["shown_choices"]) == (None, ["B", "A"])


@pytest.mark.parametrize("role", ["judge", "monitor", "observer"])
def test_a_reading_of_a_chain_is_neither_right_nor_wrong(role):
    about = {"reader": "j", "reader_role": role, "label": True, "score": 0.9, "quote": "so", "quote_found": True}
    rows = [ItemObservation(ITEM, "cot", "mentions", observation("q", **about))]
    rows.append(ItemObservation(ITEM, "cot", "transfer", observation("reader=b", reader="b", reader_role="reader")))
    judged, read = observations_table(KEY, rows).to_pylist()
    assert (judged["correct"], judged["p_gold"], judged["label"], judged["score"]) == (None, None, True, 0.9)
    assert read["correct"] is True
    assert read["p_gold"] == pytest.approx(0.2689414213699951)  # 1 / (1 + e)


def test_a_file_without_a_column_that_it_must_have_is_refused():
    table = as_version(3, items_table(KEY, [ITEM]), "items").drop_columns(["metadata"])
    with pytest.raises(ValueError, match="lacks a column"):
        in_schema(table, "items")


def test_observations_lack_nothing():
    assert set(SINCE[3]["observations"]) <= set(OBSERVATIONS.names)


def test_a_column_that_a_table_lacks_is_an_error():
    row = {"schema_version": 4, "run_id": "r", "model": "m", "task": "t", "item_id": "a"}
    with pytest.raises(AssertionError, match="items has no column golden"):
        table_of("items", [row | {"answer_format": "choice", "gold": "A", "golden": "A"}])
