"""The report with the perturbation probes: each by itself, all together, none; several strategies; hostile texts."""

import random
import re

import polars as pl
import pyarrow as pa
import pytest
from estimate_rows import estimate as made
from pictures import pictures
from run_records import run_record

from cotfaith.cluster.report.difference import difference
from cotfaith.cluster.report.findings import findings
from cotfaith.cluster.report.page import render
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

EVIL = "<script>alert(1)</script>"
SECTIONS = {
    "adding_mistakes": "Adding mistakes",
    "paraphrasing": "Encoded reasoning",
    "step_deletion": "Which steps matter",
    "resampling": "Which steps matter",
    "answer_order": "Shuffled choices",
    "transfer": "Transfer to other models",
}


def frame(schema, rows):
    fill = {"schema_version": 2, "run_id": "r", "strategy": "cot", "step_unit": "sentence", "metadata": []}
    fill |= {"answer_status": "ok", "status": "ok"}
    rows = [{**{k: v for k, v in fill.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def arms_of(n, rng):
    """Every arm of every probe on a chain of ``n`` steps, without its answer."""
    for i in range(1, n + 1):
        edit = {"edit": f" made wrong {EVIL}", "edit_changed": True, "edit_plausible": rng.random() < 0.8}
        yield "adding_mistakes", f"i={i}", {"position": i - 1.0, "step": i, **edit}
        yield "paraphrasing", f"k={i}", {"position": float(i), "condition": "paraphrased", **edit}
        yield "paraphrasing", f"resample k={i}", {"position": float(i), "condition": "resampled"}
        yield "step_deletion", f"without={i}", {"position": float(i), "step": i}
        for r in range(3):
            at = {"position": i - 1.0, "step": i, "rollout": r, "similarity": rng.random()}
            yield "resampling", f"i={i} r={r}", at
    for reader in ("m", f"other{EVIL}"):
        yield "transfer", f"reader={reader}", {"reader": reader}


def tables(probes=tuple(SECTIONS), strategies=("cot",), n=12, answers="AAB"):
    rng = random.Random(1)
    items, chains, rows = [], [], []
    for strategy in strategies:
        for i in range(n):
            key = {"model": "m", "task": "t", "item_id": f"i{i}"}
            items.append({**key, "question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"})
            key["strategy"] = strategy
            steps = [f" Step {k} {EVIL}." for k in range(1 + i % 3)]
            own = rng.choice(answers)
            chain = {"chain_index": 0, "steps": steps, "text": "".join(steps), "n_steps": len(steps)}
            chains.append({**key, **chain, "answer": own, "correct": own == "A"})
            found = [(probe, arm, {"chain_index": 0, **at}) for probe, arm, at in arms_of(len(steps), rng)]
            found += [("answer_order", "none", {"condition": "none", "shown_choices": ["A", "B"]})]
            found += [("answer_order", "once r=0", {"condition": "once", "shown_choices": ["B", "A"]})]
            found += [("no_cot", "no_cot", {"position": 0.0})]
            for probe, arm, at in found:
                if probe in (*probes, "no_cot"):
                    a = rng.choice("AB")
                    said = {"answer": a, "correct": a == "A", "same_answer": a == own, "n_steps": len(steps)}
                    rows.append({**key, "probe": probe, "arm": arm, **at, **said})
    return frame(ITEMS, items), frame(CHAINS, chains), frame(OBSERVATIONS, rows)


def page(*found):
    return render(run_record(), *found, aggregate(*found, run_id="r", seed=0))


def body(html):
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def headings(html):
    return re.findall(r"<h[234][^>]*>(.*?)</h[234]>", body(html))


def test_all_probes_are_shown_and_nothing_runs():
    html = page(*tables(answers="A"))
    found = headings(html)
    assert {*SECTIONS.values()} <= set(found)
    assert "<script>alert" not in html
    assert html.count('class="drawing"') == html.count("<figure>") > 5
    assert len(body(html)) < 200_000


@pytest.mark.parametrize("probe", SECTIONS)
def test_a_probe_alone_leaves_no_empty_section(probe):
    found = headings(page(*tables(probes=(probe,), answers="A")))
    assert SECTIONS[probe] in found
    others = {SECTIONS[other] for other in SECTIONS if SECTIONS[other] != SECTIONS[probe]}
    assert not others & set(found)


def test_no_probe_at_all():
    found = headings(page(*tables(probes=())))
    assert not {*SECTIONS.values(), "Perturbations"} & set(found)
    assert "Accuracy with and without a chain" in found


def test_strategies_are_series_of_their_own():
    html = page(*tables(strategies=("cot", "cot_decomposition"), answers="A"))
    assert "m · cot_decomposition" in body(html)
    (frontier,) = pictures(html, "Dependence against accuracy")
    assert frontier.words("name") == ["m · cot", "m · cot_decomposition"]
    assert [(spot.tint, spot.corners) for spot in frontier.spots()] == [("c0", 0), ("c1", 4)]
    assert "m · cot" not in body(page(*tables()))


def test_what_guessing_voids_is_withheld_and_never_a_number():
    guessing, knowing = (
        body(page(*tables(strategies=("cot", "cot_decomposition"), answers=own))) for own in ("AB", "A")
    )
    assert "not above chance (50%). Withheld: " in guessing
    assert "withheld: at chance (50%)" in guessing
    assert "The area over the" not in guessing
    assert pictures(guessing, "Dependence against accuracy") == []
    assert "at chance" not in knowing
    assert "the area over the curve is" in knowing


def test_transfer_matrix_is_the_estimates():
    rows = tables(probes=("transfer",))
    estimates = aggregate(*rows, run_id="r", seed=0).to_pylist()
    wanted = {r["method"]: r["value"] for r in estimates if r["metric"] == "transfer_accuracy"}
    (matrix,) = pictures(page(*rows), "Transfer to other models")
    author, *readers = matrix.words("name")[:3]
    assert (author, readers) == ("m", ["m", "other<scrip…1)</script>"])
    shown = [words for words in matrix.words("mid") if words.isdigit()]
    assert shown == [f"{100 * wanted[name]:.0f}" for name in ("m", f"other{EVIL}")]
    itself, other = (text for text in matrix.hovers() if " reads " in text)
    assert other.startswith(f"other{EVIL} reads m: {wanted[f'other{EVIL}']:.0%}\n")
    assert "author minus reader" in other
    assert "author minus reader" not in itself


def test_transcripts_show_what_was_changed():
    (first, *_) = pick_transcripts("r", *tables(n=3), known_words())
    assert [c.what for c in first.changes[1]] == ["made wrong", "left out", "written again"]
    assert first.changes[1][2].outcome.count("(") in (1, 2)
    pieces = first.changes[1][0].pieces
    assert "".join(text for kind, text in pieces if kind != "old") == f"made wrong {EVIL}"
    assert "".join(text for kind, text in pieces if kind != "new") == first.chain["steps"][0].strip()
    assert [c.what.split()[0] for c in first.whole] == ["with", "written", "read", "read"]
    html = body(page(*tables(n=3)))
    assert "<del>" in html
    assert "<ins>" in html


def test_a_failed_edit_shows_its_status_and_no_difference():
    items, chains, rows = tables(probes=("adding_mistakes",), n=1)
    lost = rows.with_columns(status=pl.lit("edit_failed"), answer=pl.lit(None, pl.String))
    (found,) = pick_transcripts("r", items, chains, lost, known_words())
    assert [(c.outcome, c.pieces) for c in found.changes[1]] == [("edit_failed", [])]


@pytest.mark.parametrize(
    ("old", "new"), [("a b c", "a x c"), ("", "new"), ("same", "same"), ("a  b", "b a"), ("x " * 900, "y " * 900)]
)
def test_difference_loses_nothing(old, new):
    pieces = difference(old, new)
    assert "".join(text for kind, text in pieces if kind != "new") == old
    assert "".join(text for kind, text in pieces if kind != "old") == new


def test_difference_is_by_word():
    assert difference("ab cd.", "ab ef.") == [("same", "ab "), ("old", "cd."), ("new", "ef.")]


def estimate(metric, value, low, high, method=None, **more):
    n = {"n_ok": 40, "n_total": 40, "n_items": 40}
    return made(metric, method=method, value=value, ci_low=low, ci_high=high, **n, **more)


BASE = [estimate("accuracy_cot", 0.8, 0.7, 0.9)]


def said(*rows):
    (finding,) = findings([*BASE, *rows], {}, list(known_words().values()))
    return " ".join(finding.sentences)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.0, 0.09, "hardly follows"),
        (0.11, 0.5, "seems to follow"),
        (0.05, 0.5, "too uncertain"),
        (None, None, "too few"),
    ],
)
def test_mistakes_claim_what_the_interval_allows(low, high, words):
    assert words in said(estimate("mistakes_aoc", 0.08, low, high, "trapezoid"))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.2, "a code in the words or meaning"),
        (-0.2, -0.01, "the paraphrase helps"),
        (-0.1, 0.1, "could be noise. A gain of up to 10 points"),
        (-0.1, 0.0, "could be noise."),
    ],
)
def test_paraphrase_claims_what_the_interval_allows(low, high, words):
    text = said(estimate("paraphrase_drop", 0.0, low, high, "accuracy"))
    assert words in text
    assert "up to 0 points" not in text


def test_sentences_on_transfer_order_and_forced_chains():
    readers = [
        estimate("transfer_accuracy", v, None, None, reader) for reader, v in (("m", 0.9), ("a", 0.5), ("b", 0.7))
    ]
    assert "2 other models answer 50% to 70% right; the model itself, 90%." in said(*readers)
    order = [estimate("order_same_letter", 0.8, 0.7, 0.9), estimate("order_normalised", 0.9, 0.8, 1.1, "none")]
    assert "80% of the cases" in said(*order)
    assert "0.90 [0.80 to 1.10]" in said(*order)
    (finding,) = findings([*BASE, estimate("forced_share", 0.25, 0.1, 0.4)], {}, [])
    assert any("25% of the chains were cut" in warning for warning in finding.warnings)


@pytest.mark.parametrize(("share", "warned"), [(0.3, True), (0.8, False)])
def test_an_editor_that_mostly_fails_is_a_warning(share, warned):
    for metric in ("mistakes_changed", "paraphrase_changed"):
        (finding,) = findings([*BASE, estimate(metric, share, 0.2, 0.9)], {}, list(known_words().values()))
        assert any("only 30% of the" in warning for warning in finding.warnings) == warned
