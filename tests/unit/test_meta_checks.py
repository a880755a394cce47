import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from cotfaith.cluster.cli.validate import ORGANISMS
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.validation.checks import CONTRASTS, SKILL, Contrast, run_checks
from cotfaith.cluster.validation.cost import Cost
from cotfaith.cluster.validation.evidence import Arm, Evidence
from cotfaith.cluster.validation.judgement import figures
from cotfaith.cluster.validation.labelled import Labelled, label_all
from cotfaith.cluster.validation.metrics import METRICS
from cotfaith.cluster.validation.page import pages
from cotfaith.cluster.validation.show import show
from cotfaith.cluster.validation.validation import Count, Curve, Validation
from cotfaith.schemas.records import Answer, Chain, Hint, Item, Supplied
from cotfaith.schemas.status import Status

SOURCES = {name: f"organism:{name}" for name in ("reasoner", "rationalizer", "skilled-25", "skilled-50", "skilled-75")}


def evidence(model, i, same_from, reliant, n=3, metadata=(), **about):
    """A chain whose answer is settled after ``same_from`` steps; without a chain it differs if ``reliant``."""

    def arm(position, same):
        p = {"1": 0.9, "2": 0.1} if same else {"1": 0.1, "2": 0.9}
        return Arm(str(position), float(position), "1" if same else "2", p, 10)

    item = Item(f"i{i}", f"question {i}", "1", "number", ("1", "2"), metadata=metadata, **about)
    chain = Chain(item.id, 0, "abc", ("a", "b", "c"), Answer(Status.OK, "1"), Status.OK, 3, "stop", 0)
    arms = {
        "early_answering": tuple(arm(k, k >= same_from) for k in range(n + 1)),
        "no_cot": (arm(0, not reliant),),
        "filler_tokens": (arm(5, not reliant),),
    }
    return Evidence(model, "t", item, chain, arm(n, True), arms, 1)


def run(reasoner_from=3, rationalizer_from=0, reliance=(1, 0.75, 0.5, 0.25), n=20, sources=SOURCES):
    found, labelled = [], []
    settled = {"reasoner": reasoner_from, "rationalizer": rationalizer_from}
    skill = dict(zip(("reasoner", "skilled-25", "skilled-50", "skilled-75"), reliance, strict=True))
    for model in sources:
        for i in range(n):
            reliant = i < skill.get(model, 0) * n
            one = evidence(model, i, settled.get(model, 3 if reliant else 0), reliant)
            found.append(one)
            steps = (True, True, False) if model == "reasoner" else (False,) * 3
            labelled.append(Labelled(one, "organism", reliant, steps))
    return {check.name: check for check in run_checks(found, labelled, sources, 0)}


def test_sound_organisms_pass():
    checks = run()
    assert checks["early answering AOC: reasoner minus rationalizer"].result == "passed"
    assert checks["early answering AOC: reasoner minus rationalizer"].value == pytest.approx(1 - 1 / 6)
    trend = checks["raw reliance falls with skill (slope)"]
    assert (trend.result, round(trend.value, 9), trend.n) == ("passed", -1.0, 20)
    assert "1.00, 0.75, 0.50, 0.25" in trend.note
    assert checks["no_cot_soft: reasoner over rationalizer"].result == "passed"
    assert checks["no_cot_soft: needed over decorative chains of skilled-50"].value == 1.0


def test_organisms_must_follow_their_mechanism():
    """Chains without a label did not; a chain of one operation gives no evidence."""
    steps = {"a": "4", "b": "4", "c": "1"}
    found = {
        key: [evidence("reasoner", i, 3, True, metadata=(("steps", k),)) for i in range(30)] for key, k in steps.items()
    }
    labelled = [Labelled(one, "organism", True, (True, True, False)) for one in found["a"]]
    sources = {"reasoner": "organism:reasoner"}

    def check(*groups):
        rows = [one for group in groups for one in found[group]]
        return next(c for c in run_checks(rows, labelled, sources, 0) if c.name == "reasoner follows its mechanism")

    assert (check("a", "c").value, check("a", "c").result, check("a", "c").n) == (1.0, "passed", 30)
    assert (check("a", "b").value, check("a", "b").result) == (0.5, "failed")
    assert check("c").result == "not measured"


def test_a_metric_blind_to_its_organism_fails():
    checks = run(reasoner_from=0)  # cutting the reasoner's chain changes nothing, as for the rationalizer
    gap = checks["early answering AOC: reasoner minus rationalizer"]
    assert (gap.value, gap.result) == (0.0, "failed")
    assert checks["early_answering_soft: reasoner over rationalizer"].result == "failed"
    assert checks["no_cot_soft: reasoner over rationalizer"].result == "passed"


def reworded(model, i, kept):
    """A chain whose answer survives plain resampling; other words keep it or not."""
    one = evidence(model, i, 3, True)
    arms = [("k=1", kept), ("resample k=1", True)]
    found = tuple(Arm(name, 1.0, "1" if same else "2", None, 10) for name, same in arms)
    return replace(one, arms={**one.arms, "paraphrasing": found})


@pytest.mark.parametrize(("encoder_keeps", "result"), [(False, "passed"), (True, "failed")])
def test_the_encoder_must_move_under_paraphrase_and_the_reasoner_not(encoder_keeps, result):
    found = [reworded("encoder", i, encoder_keeps) for i in range(20)] + [
        reworded("reasoner", i, True) for i in range(20)
    ]
    labelled = [Labelled(one, "organism", one.model == "reasoner", (None,) * 3) for one in found]
    sources = {name: f"organism:{name}" for name in ("encoder", "reasoner")}
    checks = {c.name: c for c in run_checks(found, labelled, sources, 0)}
    drop = checks["paraphrase drop: encoder minus reasoner"]
    assert (drop.value, drop.result, drop.n) == (float(not encoder_keeps), result, 20)
    assert checks["paraphrase_kept: reasoner over encoder"].value == (0.5 if encoder_keeps else 1.0)


def test_a_probe_that_was_not_run_is_not_measured():
    checks = run(sources=SOURCES | {"encoder": "organism:encoder"})
    assert checks["paraphrase drop: encoder minus reasoner"].result == "not measured"
    assert "no such probe" in checks["mistakes AOC: reasoner minus rationalizer"].note
    assert checks["mistakes_aoc: reasoner over rationalizer"].result == "not measured"


def test_reliance_that_does_not_fall_fails():
    assert run(reliance=(0.5, 0.5, 0.5, 0.5))["raw reliance falls with skill (slope)"].result == "failed"
    assert run(reliance=(0.25, 0.5, 0.75, 1))["raw reliance falls with skill (slope)"].result == "failed"


def test_step_check_uses_steps():
    check = run()["early_importance_tvd: needed steps over asides of reasoner"]
    assert (check.value, check.result, check.n) == (
        0.0,
        "failed",
        60,
    )  # only the third step, an aside, moves the answer


def test_what_is_lacking_is_not_measured():
    checks = run(sources={"reasoner": "organism:reasoner"})
    for name in (
        "early answering AOC: reasoner minus rationalizer",
        "raw reliance falls with skill (slope)",
        "reasoner over rationalizer",
        "reasoner over encoder",
        "paraphrase drop: encoder minus reasoner",
    ):
        assert (checks[name].result, checks[name].value) == ("not measured", None)
        assert checks[name].note
    assert run(sources={"m": "some/model"}) == {}


def test_one_item_says_nothing():
    assert run(n=1)["early answering AOC: reasoner minus rationalizer"].result == "not measured"


def test_every_claim_has_a_contrast():
    assert {c.claim for c in CONTRASTS} == {"load_bearing", "readable", "verbalises"}
    assert all(isinstance(c, Contrast) for c in CONTRASTS)


def test_items_with_hints_are_left_out_of_model_level_checks():
    hinted = [evidence(m, i, 0, False, hint=Hint("2")) for m in SOURCES for i in range(20)]
    labelled = [Labelled(one, "organism", True, (None,) * 3) for one in hinted]
    found = {c.name: c for c in run_checks(hinted, labelled, SOURCES, 0)}
    assert found["raw reliance falls with skill (slope)"].n == 0
    assert found["early answering AOC: reasoner minus rationalizer"].n == 0


def figure(made, metric, group):
    return next(f for f in made if (f.metric, f.group) == (metric, group))


def test_figures_count_classes_bias_and_missing():
    sound = [Labelled(evidence("a", i, 3, True), "outright", True, (None,) * 3) for i in range(6)]
    bad = [Labelled(evidence("a", i, 0, False), "diversionary", False, (None,) * 3) for i in range(6, 12)]
    bare = evidence("a", 12, 0, False)
    lost = Labelled(Evidence("a", "t", bare.item, bare.chain, bare.final, {}, 1), "outright", True, (None,) * 3)
    made = figures([*sound, *bad, lost], 0)
    every = figure(made, "no_cot_change", "all")
    assert (every.auroc, every.called_unfaithful) == (1.0, 0.5)
    assert (every.n_faithful, every.n_unfaithful, every.n_missing, every.n_clusters) == (6, 6, 1, 12)
    alone = figure(made, "no_cot_change", "setting=diversionary")
    assert (alone.auroc, alone.reason, alone.called_unfaithful) == (None, "all unfaithful", 1.0)
    assert figure(made, "no_cot_change", "steps=3-4").auroc == 1.0
    assert figure(made, "early_importance_p", "all").reason == "no scored label"


def test_labels_come_from_the_file_then_the_organism_then_rules():
    chain = Supplied(("a",), "1", False)
    supplied = evidence("reasoner", 0, 0, False, supplied=chain, setting="outright")
    ruled = evidence("reasoner", 1, 0, False, setting="outright", bottlenecks=("9",))
    found = label_all([supplied, ruled, evidence("other", 2, 0, False)], SOURCES | {"other": "a/b"})
    assert [(one.setting, one.faithful) for one in found] == [("outright", False), ("outright", False)]
    assert "Labelled in the file" in found[0].reason
    assert "9" in found[1].reason


def validation():
    checks = run(reasoner_from=0)
    labelled = [Labelled(evidence("a", i, 3, i < 6), "organism", i < 6, (None,) * 3) for i in range(12)]
    costs = tuple(Cost(metric.name, 10.0, None) for metric in METRICS)
    curve = Curve("reasoner", (0.0, 1.0), (0.1, 1.0), 12)
    return Validation(
        0, (Count("a", 12, 12, 12, 6),), tuple(checks.values()), tuple(figures(labelled, 0)), costs, (curve,), ()
    )


def test_page_shows_failures_and_is_deterministic():
    made = validation()
    page = pages(made, "v")
    assert page == pages(made, "v")
    assert set(page) == {"v.md", "v-early.svg"}
    assert "| **FAILED** |" in page["v.md"]
    assert "![Early answering by model](v-early.svg)" in page["v.md"]
    assert "Raw reliance is confounded" not in page["v.md"]
    assert page["v-early.svg"].startswith("<svg")
    assert "nan" not in page["v.md"].lower()


def test_json_has_rules_and_no_nan():
    data = json.loads(validation().as_json())
    assert {m["name"] for m in data["metrics"]} == {f["metric"] for f in data["figures"]}
    assert all(f["auroc"] is None or 0 <= f["auroc"] <= 1 for f in data["figures"])
    assert validation().failed


def test_terminal_tables_fit_80_columns():
    console = Console(width=80, record=True, file=io.StringIO())
    show(validation(), console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "early_importance_tvd" in text
    assert "0.50 [0.50, 0.50]" in text
    assert re.search(
        r"\d+ checks against organisms: \d+ passed, [1-9]\d* failed, \d+ not measured", text.replace("\n", " ")
    )


def test_the_packaged_spec_is_the_example(repo):
    """A link: if a text editor replaced it with a file, the two could diverge."""
    assert ORGANISMS.read_text() == (repo / "examples" / "organisms.yaml").read_text()
    names = {model.source.removeprefix("organism:") for model in load_spec(ORGANISMS).models}
    assert {"reasoner", "rationalizer", *(o for c in CONTRASTS for o in c.organisms), *SKILL} <= names
