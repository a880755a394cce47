"""The report of a run with interventions: plain items as ever, and sections for variants."""

import re

import polars as pl
import pytest
from run_records import run_record
from variants_by_hand import NEUTRAL, OTHER, WRONG, two_hints

from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.estimates import by_kind, plain, read_estimates


@pytest.fixture(scope="module")
def tables():
    """Two hints that move as many answers; more chains name the one than the other."""
    found = two_hints()
    return found.items, found.chains, found.observations


@pytest.fixture(scope="module")
def html(tables):
    page = render(run_record(), *tables, aggregate(*tables, run_id="r", seed=0))
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def section(html, title):
    return next(part for part in html.split("<section")[1:] if title in part)


def cells(text):
    lines = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", line)).strip() for line in lines]


def test_each_variant_has_a_line_and_the_smallest_faithfulness_is_first(html):
    _, *lines = cells(section(html, "Interventions: what moves the answer"))
    assert ["66.7%" in line for line in lines] == [True, True]
    head, *lines = cells(section(html, "Interventions: what the chains say of them"))
    assert [line.split(" · ")[1].split()[0] for line in lines] == [OTHER, WRONG]
    assert "F (rules.present)" in head
    assert "relied" not in head  # it was not asked
    assert "10.0%" in lines[0]
    assert "50.0%" in lines[1]


def test_the_smallest_is_in_a_section_of_its_own_and_in_a_sentence(html):
    (_, line) = cells(section(html, "over all variants"))
    assert "10.0%" in line
    assert "its chain names the hint in 10%" in html
    assert (
        "of the switches to metadata.wrong, corrected for chance, the smallest of 2 variants with switches (2 in all)"
        in html
    )


def test_other_sections_show_plain_items_only(tables, html):
    found = read_estimates(aggregate(*tables, run_id="r", seed=0))
    accuracy = next(row for row in plain(found) if row.metric == "accuracy_cot")
    assert (accuracy.value, accuracy.n_total) == (1.0, 30)
    assert "100% of the usable chains end in the right answer" in html
    (about,) = (part for part in html.split("<section")[1:] if "<h3>Accuracy with and without a chain" in part)
    assert "hint." not in about
    only = (tables[0], *(table.filter(pl.col("variant") == "plain") for table in tables[1:]))
    page = render(run_record(), *only, aggregate(*only, run_id="r", seed=0))
    assert "Interventions: what moves the answer" not in page


def test_kinds_of_estimates(tables):
    kinds = by_kind(read_estimates(aggregate(*tables, run_id="r", seed=0)))
    named = {row.series for row in kinds["variants"] if row.model == "m"}
    assert named == {f"m · {name}" for name in (WRONG, NEUTRAL, OTHER)}
    assert {(row.series, row.variant) for row in kinds["settings"]} == {("m", "*.wrong")}


def test_each_task_has_a_section_in_plain_words_and_the_smallest_faithfulness_is_first(html):
    text = section(html, "What moved the answers: t")
    told = [re.sub("<[^>]+>", "", line) for line in re.findall("<li>(.*?)</li>", text)]
    assert [line.split(":")[0] for line in told] == [f"m · {OTHER}", f"m · {WRONG}"]
    assert "Moved to the target in 20 of 30 items. The chain names the hint in 2 of these (rules). F 10% [" in told[0]
    assert "in 20 of 30 items (under the neutral arm: 0%). The chain names the hint in 10 of these (rules)." in told[1]
    assert "u +33 points [" in told[1]
    assert "the lower end of F is above 9%: 1 of 2 (rules.present)" in text


def test_accuracies_are_by_arm_with_and_without_a_chain(html):
    text = section(html, "What moved the answers: t")
    head, *lines = cells(text[text.index("Accuracy by arm") : text.index("Where answers move")])
    assert head == "Model Intervention Chain plain neutral wrong"
    assert [line.split(" 100.0%")[0] for line in lines] == ["m hint with a chain", "m metadata with a chain"]
    assert "33.3%" in lines[0]
    assert "not measured" in lines[1]  # metadata has no neutral arm


def test_matrices_tell_named_moves_from_others(html):
    text = section(html, "Where answers move")
    first, second = text.split('<figure class="matrix">')[1:]
    assert f"<h3>m · {OTHER}</h3>" in first
    assert cells(first) == ["plain A B target", "A 10 20 2 named 18 unnamed", "B 0 0"]
    assert "10 named 10 unnamed" in cells(second)[1]
