import io
import itertools
import json
import re

import pytest
from rich.console import Console

from cotfaith.cluster.cli.validate import ORGANISMS
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.validation.checks import CONTRASTS, Contrast, run_checks
from cotfaith.cluster.validation.cost import Cost
from cotfaith.cluster.validation.judgement import figures
from cotfaith.cluster.validation.labelled import IN_FILE, Labelled, label_all
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.model_checks import SKILL
from cotfaith.cluster.validation.page import pages
from cotfaith.cluster.validation.scored import Scored
from cotfaith.cluster.validation.show import show
from cotfaith.cluster.validation.usable import UsableChain, WholeChain
from cotfaith.cluster.validation.validation import Count, Curve, Validation
from cotfaith.schemas.records import Answer, Chain, Hint, Item, Supplied
from cotfaith.schemas.status import Status

SOURCES = {name: f"organism:{name}" for name in ("reasoner", "rationalizer", "skilled-25", "skilled-50", "skilled-75")}


class Run:
    """Chains, their labels, and what the metrics make of them."""

    def __init__(self):
        self.usable, self.whole, self.labelled, self.scored = [], [], [], Scored({}, {}, {})

    def chain(self, model, i, same_from, reliant, n=3, operations=0, **about):
        """A chain whose answer is settled after ``same_from`` steps; without a chain it is another if ``reliant``."""
        item = Item(f"i{i}", f"question {i}." + " Add 3." * operations, "1", "number", ("1", "2"), **about)
        chain = Chain(item.id, 0, "abc", ("a", "b", "c"), Answer(Status.OK, "1"), Status.OK, 3, "stop", 0)
        one = UsableChain.of(model, "t", item, chain)
        self.usable.append(one)
        self.whole.append(WholeChain(one, item, chain))
        p = [0.9 if k >= same_from else 0.1 for k in range(n + 1)]
        steps = [abs(after - before) for before, after in itertools.pairwise(p)]
        # The area under s = 0 below same_from, 1 from there on, over x = k/n.
        area = (n - same_from + 0.5) / n if same_from else 1.0
        without = 1 - p[-1] if reliant else p[-1]
        self.score(one, "aoc/trapezoid", 1 - area)
        self.score(one, "aoc/soft", 1 - sum(p) / len(p))
        self.score(one, "raw_reliance", float(reliant))
        self.score(one, "raw_reliance/soft", 1 - without)
        self.score(one, "filler_reliance/mean", float(reliant))
        self.score(one, "chain_gain", 1 - without / p[-1])
        for name, of_step in (("p", steps), ("tvd", steps), ("settles", [float(x > 0) for x in steps])):
            for k, value in enumerate(of_step, 1):
                self.scored.steps.setdefault(f"early_importance/{name}", {})[one.key, k] = value
        return one

    def score(self, one, metric, value):
        self.scored.chains.setdefault(metric, {})[one.key] = value

    def label(self, one, setting, faithful, steps=(None,) * 3):
        self.labelled.append(Labelled(one, setting, faithful, steps))

    def checks(self, sources):
        return {c.name: c for c in run_checks(self.usable, self.labelled, self.scored, sources, 0)}

    def figures(self):
        return figures(self.labelled, self.scored, 0)


def organisms(reasoner_from=3, rationalizer_from=0, reliance=(1, 0.75, 0.5, 0.25), n=20, sources=SOURCES, hint=None):
    made = Run()
    settled = {"reasoner": reasoner_from, "rationalizer": rationalizer_from}
    skill = dict(zip(("reasoner", "skilled-25", "skilled-50", "skilled-75"), reliance, strict=True))
    for model in sources:
        for i in range(n):
            reliant = i < skill.get(model, 0) * n
            one = made.chain(model, i, settled.get(model, 3 if reliant else 0), reliant, hint=hint)
            made.label(one, "organism", reliant, (True, True, False) if model == "reasoner" else (False,) * 3)
    return made


def run(sources=SOURCES, **known):
    return organisms(sources=sources, **known).checks(sources)


def test_sound_organisms_pass():
    checks = run()
    assert checks["early answering AOC: reasoner minus rationalizer"].result == "passed"
    assert checks["early answering AOC: reasoner minus rationalizer"].value == pytest.approx(1 - 1 / 6)
    trend = checks["raw reliance falls with skill (slope)"]
    assert (trend.result, round(trend.value, 9), trend.n) == ("passed", -1.0, 20)
    assert "1.00, 0.75, 0.50, 0.25" in trend.note
    assert checks["raw_reliance/soft: reasoner over rationalizer"].result == "passed"
    assert checks["raw_reliance/soft: needed over decorative chains of skilled-50"].value == 1.0


def test_organisms_must_follow_their_mechanism():
    """Chains without a label did not; a chain of one operation gives no evidence."""
    made = Run()
    operations = {"a": 4, "b": 4, "c": 1}
    found = {
        group: [made.chain("reasoner", f"{group}{i}", 3, True, operations=k) for i in range(30)]
        for group, k in operations.items()
    }
    labelled = [Labelled(one, "organism", True, (True, True, False)) for one in found["a"]]
    sources = {"reasoner": "organism:reasoner"}

    def check(*groups):
        rows = [one for group in groups for one in found[group]]
        checks = run_checks(rows, labelled, made.scored, sources, 0)
        return next(c for c in checks if c.name == "reasoner follows its mechanism")

    assert (check("a", "c").value, check("a", "c").result, check("a", "c").n) == (1.0, "passed", 30)
    assert (check("a", "b").value, check("a", "b").result) == (0.5, "failed")
    assert check("c").result == "not measured"


def test_a_metric_blind_to_its_organism_fails():
    checks = run(reasoner_from=0)  # cutting the reasoner's chain changes nothing, as for the rationalizer
    gap = checks["early answering AOC: reasoner minus rationalizer"]
    assert (gap.value, gap.result) == (0.0, "failed")
    assert checks["aoc/soft: reasoner over rationalizer"].result == "failed"
    assert checks["raw_reliance/soft: reasoner over rationalizer"].result == "passed"


@pytest.mark.parametrize(("encoder_keeps", "result"), [(False, "passed"), (True, "failed")])
def test_the_encoder_must_move_under_paraphrase_and_the_reasoner_not(encoder_keeps, result):
    made = Run()
    for model in ("encoder", "reasoner"):
        for i in range(20):
            one = made.chain(model, i, 3, True)
            kept = encoder_keeps or model == "reasoner"
            made.score(one, "paraphrase_drop/same_answer", float(not kept))
            made.label(one, "organism", model == "reasoner")
    checks = made.checks({name: f"organism:{name}" for name in ("encoder", "reasoner")})
    drop = checks["paraphrase drop: encoder minus reasoner"]
    assert (drop.value, drop.result, drop.n) == (float(not encoder_keeps), result, 20)
    assert checks["paraphrase_drop/same_answer: reasoner over encoder"].value == (0.5 if encoder_keeps else 1.0)


def test_the_gap_in_mistakes_is_of_the_figure_that_the_report_reads():
    made = organisms()
    for one in made.usable:
        made.score(one, "mistakes_aoc/trapezoid", 0.75 if one.model == "reasoner" else 0.25)
        made.score(one, "mistakes_aoc/mean", 1.0)
    assert made.checks(SOURCES)["mistakes AOC: reasoner minus rationalizer"].value == 0.5


def test_a_probe_that_was_not_run_is_not_measured():
    checks = run(sources=SOURCES | {"encoder": "organism:encoder"})
    assert checks["paraphrase drop: encoder minus reasoner"].result == "not measured"
    assert "no such probe" in checks["mistakes AOC: reasoner minus rationalizer"].note
    assert checks["mistakes_aoc/trapezoid: reasoner over rationalizer"].result == "not measured"


def test_reliance_that_does_not_fall_fails():
    assert run(reliance=(0.5, 0.5, 0.5, 0.5))["raw reliance falls with skill (slope)"].result == "failed"
    assert run(reliance=(0.25, 0.5, 0.75, 1))["raw reliance falls with skill (slope)"].result == "failed"


def test_step_check_uses_steps():
    check = run()["early_importance/tvd: needed steps over asides of reasoner"]
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
    found = run(hint=Hint("2"))
    assert found["raw reliance falls with skill (slope)"].n == 0
    assert found["early answering AOC: reasoner minus rationalizer"].n == 0


def figure(made, metric, group):
    return next(f for f in made if (f.metric, f.group) == (metric, group))


def test_figures_count_classes_bias_and_missing():
    made = Run()
    for i in range(12):
        made.label(made.chain("a", i, 3 if i < 6 else 0, i < 6), ("outright", "diversionary")[i >= 6], i < 6)
    lost = made.chain("a", 12, 0, False)
    for found in made.scored.chains.values():
        del found[lost.key]
    made.label(lost, "outright", True)
    every = figure(made.figures(), "raw_reliance", "all")
    assert (every.auroc, every.called_unfaithful) == (1.0, 0.5)
    assert (every.n_faithful, every.n_unfaithful, every.n_missing, every.n_clusters) == (6, 6, 1, 12)
    one_class = figure(made.figures(), "raw_reliance", "setting=diversionary")
    assert (one_class.auroc, one_class.reason, one_class.called_unfaithful) == (None, "all unfaithful", 1.0)
    assert figure(made.figures(), "raw_reliance", "steps=3-4").auroc == 1.0
    kinds = {f.group: (f.kind, f.member) for f in made.figures() if f.metric == "raw_reliance"}
    assert (kinds["all"], kinds["steps=3-4"], kinds["model=a"]) == (("all", ""), ("steps", "3-4"), ("model", "a"))
    assert figure(made.figures(), "early_importance/p", "all").reason == "no scored label"


def test_a_metric_of_which_low_is_faithful_is_judged_the_other_way_round():
    made = Run()
    for i in range(12):
        one = made.chain("a", i, 3, True)
        made.score(one, "paraphrase_drop/same_answer", 0.0 if i < 6 else 0.75)
        made.label(one, "organism", i < 6)
    every = figure(made.figures(), "paraphrase_drop/same_answer", "all")
    assert (every.auroc, every.called_unfaithful) == (1.0, 0.5)


def test_labels_come_from_the_file_then_the_organism_then_rules():
    chain = Supplied(("a",), "1", False)
    made = Run()
    made.chain("reasoner", 0, 0, False, supplied=chain, setting="outright")
    made.chain("reasoner", 1, 0, False, setting="outright", bottlenecks=("9",))
    made.chain("other", 2, 0, False)
    found = label_all(made.whole, SOURCES | {"other": "a/b"})
    assert [(one.setting, one.faithful) for one in found] == [("outright", False), ("outright", False)]
    assert "Labelled in the file" in found[0].reason
    assert "9" in found[1].reason


@pytest.mark.parametrize(
    ("label", "steps", "bottlenecks", "reason"),
    [
        (False, (), ("9",), "Omission: the chain never states 9."),
        (True, (), ("9",), IN_FILE),  # the file sees what no rule sees
        (None, (True,), ("9",), IN_FILE),  # only a step is labelled
        (False, (), (), IN_FILE),  # no rule says anything
    ],
)
def test_a_label_of_a_file_has_the_reason_of_the_rules_if_they_agree(label, steps, bottlenecks, reason):
    made = Run()
    chain = Supplied(("a",), "1", label, steps)
    made.chain("other", 0, 0, False, supplied=chain, setting="outright", bottlenecks=bottlenecks)
    (found,) = label_all(made.whole, {"other": "a/b"})
    assert (found.faithful, found.reason) == (label, reason)


def validation():
    checks = run(reasoner_from=0)
    made = Run()
    for i in range(12):
        made.label(made.chain("a", i, 3, i < 6), "organism", i < 6)
    costs = tuple(Cost(metric.name, metric.judged.level, 10.0, None) for metric in judged_metrics())
    curve = Curve("reasoner", (0.0, 1.0), (0.1, 1.0), 12)
    return Validation(
        0, (Count("a", 12, 12, 12, 6),), tuple(checks.values()), tuple(made.figures()), costs, (curve,), ()
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
    named = [(m["name"], m["level"]) for m in data["metrics"]]
    assert len(named) == len(set(named))
    assert set(named) == {(f["metric"], f["level"]) for f in data["figures"]}
    assert {m["faithful"] for m in data["metrics"]} == {"high", "low"}
    assert all(f["auroc"] is None or 0 <= f["auroc"] <= 1 for f in data["figures"])
    assert validation().failed


def test_terminal_tables_fit_80_columns():
    console = Console(width=80, record=True, file=io.StringIO())
    show(validation(), console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "early_importance/tvd" in text
    assert re.search(r"0\.50 \[0\.[2-4]\d, 0\.[5-7]\d\]", text)
    assert re.search(
        r"\d+ checks against organisms: \d+ passed, [1-9]\d* failed, \d+ not measured", text.replace("\n", " ")
    )


def test_the_packaged_spec_is_the_example(repo):
    """A link: if a text editor replaced it with a file, the two could diverge."""
    assert ORGANISMS.read_text() == (repo / "examples" / "organisms.yaml").read_text()
    names = {model.source.removeprefix("organism:") for model in load_spec(ORGANISMS).models}
    assert {"reasoner", "rationalizer", *(o for c in CONTRASTS for o in c.organisms), *SKILL} <= names
