"""The variant and the channel of rows, by which scores are grouped and joined."""

import polars as pl
import pytest
from scores_by_hand import ITEM, arm, chain, frame, rows

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.metrics.lib.groups import grouped
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.schemas.tables import ITEMS


def told(found, name):
    return dict(zip(found[name], found["channel"], strict=True))


def test_rows_without_either_are_plain_and_not_told_apart():
    found = rows([chain()], [arm("no_cot", 0, None, answer="A")])
    for table in (found.chains, found.observations):
        assert table.select("variant", "channel").rows() == [("plain", "")]


def test_frames_that_lack_the_columns_get_them():
    chains, observations = grouped(pl.DataFrame({"strategy": ["cot"]}), pl.DataFrame({"probe": ["p"]}))
    assert chains.row(0) == ("cot", "plain", "")
    assert observations.row(0) == ("p", "plain", "")


def test_a_failed_chain_has_the_channel_of_its_items_other_chains():
    failed = [chain(1, status="truncated"), chain(2, variant="a.wrong", status="refused")]
    one = chain(0, channel="reasoning")
    assert rows([one, *failed], []).chains["channel"].to_list() == ["reasoning"] * 3
    mixed = [one, *failed, chain(3, channel="body")]
    assert rows(mixed, []).chains["channel"].to_list() == ["reasoning", "", "", "body"]


def test_a_row_on_a_chain_has_its_channel_and_one_on_an_item_counts_in_each():
    chains = [chain(0, channel="reasoning"), chain(1, channel="body")]
    arms = [
        arm("a", 0, 0, answer="A"),
        arm("b", 0, 1, answer="A"),
        arm("c", 0, 1, answer="A", channel="summary"),
        arm("no_cot", 0, None, answer="A"),
        arm("other", 0, None, answer="A", variant="x.wrong"),
    ]
    found = rows(chains, arms).observations
    assert found.select("probe", "channel").rows() == [
        ("a", "reasoning"),
        ("b", "body"),
        ("c", "summary"),
        ("no_cot", "reasoning"),
        ("no_cot", "body"),
        ("other", ""),
    ]
    assert grouped(found, found)[1].equals(found)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_coded_columns_stay_so(kind):
    found = rows([chain(channel="body")], [arm("no_cot", 0, None, answer="A")])
    cast = pl.col("variant", "channel", "strategy").cast(kind)
    coded = [table.with_columns(cast) for table in (found.chains, found.observations)]
    again = Rows(found.items, *(table.with_columns(channel=pl.lit(None, kind)) for table in coded))
    assert again.observations.schema["channel"] == again.chains.schema["variant"] == kind


def values(table, metric):
    kept = [row for row in table if (row["metric"], row["method"]) == (metric, None)]
    return {(row["variant"], row["channel"]): row["value"] for row in kept}


def test_estimates_are_of_one_variant_and_channel():
    chains = [
        chain(0, channel="body", correct=True, answer="A"),
        chain(1, channel="reasoning", correct=False, answer="B"),
        chain(2, channel="body", correct=False, answer="B"),
        chain(0, channel="body", correct=False, answer="B", variant="hint.wrong"),
    ]
    arms = [
        arm("no_cot", 0, None, answer="B", correct=False),
        arm("no_cot", 0, None, answer="A", correct=True, variant="hint.wrong"),
    ]
    found = rows(chains, arms)
    table = aggregate(frame(ITEMS, [ITEM]), found.chains, found.observations, "r", 0).to_pylist()
    body, reasoning, hint = ("plain", "body"), ("plain", "reasoning"), ("hint.wrong", "body")
    assert values(table, "accuracy_cot") == {body: 0.5, reasoning: 0.0, hint: 0.0}
    assert values(table, "cot_gain") == {body: 0.5, reasoning: 0.0, hint: -1.0}


def test_a_channel_that_is_not_told_apart_is_null_in_the_table():
    found = rows([chain(answer="A", correct=True)], [])
    table = aggregate(found.items, found.chains, found.observations, "r", 0).to_pylist()
    assert {(row["variant"], row["channel"]) for row in table} == {("plain", None)}
