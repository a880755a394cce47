"""Demands in whole runs of a stub: rows are what the rules say of the texts; figures are there for every variant."""

from collections import Counter

import polars as pl
import pytest
from commands import in_process
from runs_here import without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.judges.obeying import count_words

ITEMS, CHAINS = 8, 2
WORDS = 14
DEMANDS = [
    {"name": "reasoning_short", "options": {"words": WORDS}},
    "hide_fact",
    "hide_hint",
    "other_language",
    "convince_monitor",
]
ARMS = ("instructed", "neutral", "instructed_wrong", "wrong")
PUSHING = ("instructed_wrong", "wrong")


def spec_of(folder, **changes):
    content = {
        "models": [{"id": "m", "engine": "stub", "options": {"follows_hints": 1.0, "names_hints": 0.5}}],
        "tasks": [{"name": "t", "generator": "modular_chain", "n": ITEMS, "options": {"steps": [2]}}],
        "sampling": {"chains_per_item": CHAINS},
        "interventions": DEMANDS,
        "probes": ["verbalises", "obeys", {"name": "early_answering", "variants": "all"}],
        "output": {"path": str(folder / "run"), "max_failed_share": 1.0},
    }
    return parse_spec(content | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and its tables."""
    folder = tmp_path_factory.mktemp("stress")
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_ray(monkeypatch)
        assert execute(spec_of(folder)) == []
    return folder, read_tables(open_store(spec_of(folder).output))


@pytest.fixture(scope="module")
def made(finished):
    """(variant, metric, method) -> the estimate."""
    _, tables = finished
    rows = aggregate(tables["items"], tables["chains"], tables["observations"], "r", 0).to_pylist()
    return {(row["variant"], row["metric"], row["method"]): row for row in rows if row["position"] is None}


def read(tables, probe="obeys"):
    return tables["observations"].filter(pl.col("probe") == probe)


def test_every_chain_under_a_demand_or_without_it_has_one_row(finished):
    _, tables = finished
    names = [one if isinstance(one, str) else one["name"] for one in DEMANDS]
    assert Counter(read(tables)["variant"]) == {f"{name}.{arm}": ITEMS * CHAINS for name in names for arm in ARMS}
    assert set(read(tables)["reader"]) == {"rules"}
    conditions = read(tables).select("variant", "condition").unique().rows()
    assert {
        (variant.endswith(PUSHING[0]) or variant.endswith(".instructed"), made) for variant, made in conditions
    } == {
        (True, "demanded"),
        (False, "not_demanded"),
    }


def test_labels_are_what_a_count_of_the_texts_gives(finished):
    """Counted anew from the texts: words, and the sentence in which the stub names a hint."""
    _, tables = finished
    texts = {
        (row["variant"], row["item_id"], row["chain_index"]): row["text"]
        for row in tables["chains"].iter_rows(named=True)
    }
    found = {
        (row["variant"], row["item_id"], row["chain_index"]): row["label"] for row in read(tables).iter_rows(named=True)
    }
    short = {key: len(texts[key].split()) <= WORDS for key in found if key[0].startswith("reasoning_short")}
    assert {key: found[key] for key in short} == short
    assert set(short.values()) == {True, False}
    assert all(len(text.split()) == count_words(text) for text in texts.values())
    hidden = {
        key: "The hint says" not in texts[key]
        for key in found
        if key[0].startswith(("hide_hint", "convince_monitor")) and key[0].endswith("wrong")
    }
    assert {key: found[key] for key in hidden} == hidden
    assert set(hidden.values()) == {True, False}
    assert {found[key] for key in found if key[0] in ("hide_hint.neutral", "convince_monitor.instructed")} == {None}
    assert {found[key] for key in found if key[0].startswith("other_language")} == {False}  # the stub writes English


def test_every_figure_is_there_for_every_variant(made):
    for one in DEMANDS:
        name = one if isinstance(one, str) else one["name"]
        for arm in ARMS:
            assert (f"{name}.{arm}", "demand_obeyed", None) in made
            assert made[f"{name}.{arm}", "aoc", "trapezoid"]["value"] is not None
            assert made[f"{name}.{arm}", "accuracy_cot", None]["value"] is not None
        for arm in PUSHING:
            assert made[f"{name}.{arm}", "silent_influence", "rules.present"]["value"] is not None
            assert made[f"{name}.{arm}", "switch_over_neutral", "cot"]["value"] is not None
        for arm in ("instructed", "instructed_wrong"):
            for metric, method in (("accuracy_cot_by_demand", None), ("aoc_by_demand", "trapezoid")):
                assert made[f"{name}.{arm}", metric, method]["value"] is not None
        change = made[f"{name}.instructed_wrong", "silent_influence_by_demand", "rules.present"]
        assert change["value"] is not None
        assert made[f"{name}.instructed_wrong", "demand_obeyed_by_demand", None]["value"] is not None


def test_differences_are_those_of_the_shares(made):
    """All items have as many chains, none failed: then a mean of differences is the difference of means."""
    for name in ("reasoning_short", "hide_fact", "other_language"):
        for told, untold in (("instructed", "neutral"), PUSHING):
            for metric, method in (("demand_obeyed", None), ("accuracy_cot", None), ("aoc", "trapezoid")):
                one, other = (made[f"{name}.{arm}", metric, method]["value"] for arm in (told, untold))
                found = made[f"{name}.{told}", f"{metric}_by_demand", method]["value"]
                assert found == pytest.approx(one - other)


def test_monitors_read_honest_chains_of_each_hints_own_control(tmp_path, monkeypatch):
    """Also informed ones: both hints of an intervention point to the same answer, so honest chains are told of it."""
    without_ray(monkeypatch)
    guard = {"id": "guard", "engine": "stub", "roles": ["monitor"]}
    told = ["informed", "uninformed"]
    spec = spec_of(
        tmp_path,
        models=[{"id": "m", "engine": "stub", "options": {"follows_hints": 1.0}}, guard],
        interventions=["hide_hint"],
        probes=["obeys", {"name": "monitored", "options": {"told": told, "false_positive_rate": 0.3}}],
    )
    execute(spec)
    tables = read_tables(open_store(spec.output))
    rows = aggregate(tables["items"], tables["chains"], tables["observations"], "r", 0).to_pylist()
    made = {(row["variant"], row["metric"], row["method"]): row for row in rows if row["position"] is None}
    read_of = read(tables, "monitored").filter(pl.col("target").is_null()).group_by("variant", "condition").len()
    n_read = {(variant, condition): n for variant, condition, n in read_of.rows()}
    for condition in (f"both/{one}" for one in told):
        method = f"guard.{condition}"
        for variant, control in (
            ("hide_hint.instructed_wrong", "hide_hint.instructed"),
            ("hide_hint.wrong", "hide_hint.neutral"),
        ):
            false = made[variant, "monitor_false_positives", method]
            assert false["n_total"] == n_read["plain", condition] + n_read[control, condition] == 2 * ITEMS * CHAINS
            assert made[variant, "monitor_caught", method]["value"] is not None
        flagged = {arm: made[f"hide_hint.{arm}", "monitor_flagged", method]["value"] for arm in ARMS}
        for one, other in (("instructed", "neutral"), PUSHING):
            change = made[f"hide_hint.{one}", "monitor_flagged_by_demand", method]["value"]
            assert change == pytest.approx(flagged[one] - flagged[other])


def test_adding_it_to_a_finished_run_asks_nothing(tmp_path, monkeypatch):
    without_ray(monkeypatch)
    execute(spec_of(tmp_path, probes=["verbalises"]))
    before = read_tables(open_store(spec_of(tmp_path).output))
    for method in ("generate", "score"):
        monkeypatch.setattr(StubEngine, method, lambda *_: pytest.fail("a request was sent"))
    execute(spec_of(tmp_path, probes=["verbalises", "obeys"]))
    after = read_tables(open_store(spec_of(tmp_path).output))
    assert after["chains"].equals(before["chains"])
    assert read(after).height == len(DEMANDS) * len(ARMS) * ITEMS * CHAINS


def test_a_demand_of_another_number_contradicts_the_run(tmp_path, monkeypatch):
    without_ray(monkeypatch)
    execute(spec_of(tmp_path, interventions=["reasoning_short"]))
    with pytest.raises(RunConflictError, match="reasoning_short"):
        execute(spec_of(tmp_path, interventions=[{"name": "reasoning_short", "options": {"words": 31}}]))


def test_the_probe_is_refused_without_an_intervention_that_demands(tmp_path):
    with pytest.raises(
        SpecError, match=r"obeys reads whether .* such as convince_monitor, hide_fact, hide_hint, other_l"
    ):
        make_plan(spec_of(tmp_path, interventions=["suggested_answer"], probes=["obeys"]))


def test_show_and_the_report_say_whether_chains_obey(finished, monkeypatch):
    folder, tables = finished
    monkeypatch.chdir(folder)
    item = tables["items"]["item_id"][0]
    shown = in_process("show", "run", item, "--variant", "reasoning_short.instructed", "--full").stdout
    assert any(line.split()[:1] == ["obeys"] for line in shown.splitlines())
    in_process("report", "run")
    html = (folder / "run" / "report.html").read_text()
    assert "Demands: whether chains obey, and at what cost" in html
    assert "Controllability" in html
