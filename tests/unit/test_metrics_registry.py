"""The registry of metrics, and a plug-in's: declared, summed, bounded and judged like the package's own."""

import importlib
import json
import sys
from dataclasses import replace

import polars as pl
import pytest
from runs_here import without_ray
from scores_by_hand import FAILED, ITEM, arm, chain, costs_of, rows, usable

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.metrics import METRICS, all_metrics, bounds_of, metrics_of, needed_columns, register
from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE, SHARE
from cotfaith.cluster.stats.metrics.lib.curves import chain_means, of_chain
from cotfaith.cluster.stats.metrics.lib.frame import of_probe, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import Judged, Metric, ProbeMetrics
from cotfaith.cluster.stats.near_ties import without_near_ties
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage import batches
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.validation.checks import run_checks
from cotfaith.cluster.validation.judgement import figures
from cotfaith.cluster.validation.labelled import Labelled
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.scored import score_all
from cotfaith.cluster.validation.validation import validate
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import register as register_any

JUDGED = Judged("load_bearing", "chain", "high", 0.5, "unfaithful if the answer stays", "an example", "last_step")
CHANGE = Metric("last_step_change", judged=(JUDGED,))
GAP = Metric("last_step_gap", bounds=DIFFERENCE, unit="points")


def plug_in_scores(found):
    arms = of_probe(found.observations, "last_step")
    moved = 1 - ok("same_answer").cast(pl.Float64)
    yield scores(chain_means(arms, moved, pl.lit(True)), "last_step", CHANGE, of_chain("mean"))
    yield scores(arms, "last_step", GAP, ok("correct").cast(pl.Float64) - ok("correct").cast(pl.Float64))


PLUG_IN = ProbeMetrics("last_step", (CHANGE, GAP), plug_in_scores)


@pytest.fixture
def outside(monkeypatch):
    """What is registered in the test is forgotten after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(METRICS)
    yield
    METRICS.clear()
    METRICS.update(before)
    importlib.invalidate_caches()


def last_step(item, answer, **extra):
    """A plug-in's arm: it has no position."""
    return {**arm("last_step", 0, 0, answer=answer), "position": None, "arm": "last", "item_id": item, **extra}


def run_of(answers, **extra):
    """One chain an item, whose own answer is A; ``answers``: what the plug-in's arm gave."""
    chains = [chain(0, answer="A", correct=True) | {"item_id": f"i{i}"} for i in range(len(answers))]
    items = [{**ITEM, "item_id": f"i{i}", "question": f"question {i}"} for i in range(len(answers))]
    asked = [last_step(f"i{i}", answer, **extra) for i, answer in enumerate(answers)]
    arms = [row if row["answer"] else row | FAILED for row in asked]
    return rows(chains, arms, items)


def estimates(found):
    table = aggregate(found.items, found.chains, found.observations, "r", 7).to_pylist()
    return {row["metric"]: row for row in table if row["probe"] == "last_step"}


@pytest.mark.usefixtures("outside")
class TestPlugIn:
    def test_without_metrics_only_its_rows_are_counted(self):
        assert metrics_of("last_step") is None
        with pytest.warns(UserWarning, match="No metrics are registered for last_step"):
            assert set(estimates(run_of("AB"))) == {"status_share"}

    def test_it_may_read_any_column(self):
        assert needed_columns(["no_cot"]) is not None
        register(PLUG_IN)
        assert needed_columns(["no_cot", "last_step"]) is None

    def test_its_estimates(self):
        register(PLUG_IN)
        row = estimates(run_of(["A", "B", "B", None]))["last_step_change"]
        assert (row["value"], row["n_ok"], row["n_total"]) == (pytest.approx(2 / 3), 3, 4)
        assert (row["least"], row["most"], row["interval"]) == (0.5, 0.75, "linearised")

    def test_a_difference_of_zero_everywhere_is_bounded_on_both_sides(self):
        register(PLUG_IN)
        row = estimates(run_of("A" * 8))["last_step_gap"]
        assert (row["value"], row["interval"]) == (0.0, "linearised")
        assert (row["ci_low"], row["ci_high"]) == (pytest.approx(-0.369, abs=1e-3), pytest.approx(0.369, abs=1e-3))

    def test_a_metric_that_is_declared_nowhere_is_refused(self):
        register(replace(PLUG_IN, metrics=(CHANGE,)))
        with pytest.raises(SpecError, match=r"'last_step_gap' is not declared.*Add it to `metrics`"):
            estimates(run_of("AB"))

    @pytest.mark.parametrize("score", [-1.0, 1.5])
    def test_a_score_outside_the_bounds_is_refused(self, score):
        def odd(found):
            yield scores(of_probe(found.observations, "last_step"), "last_step", CHANGE, pl.lit(score))

        register(replace(PLUG_IN, scores=odd))
        with pytest.raises(
            SpecError, match=rf"'last_step_change' has a score of {score:g}, outside its bounds, 0 to 1"
        ):
            estimates(run_of("AB"))

    def test_a_difference_says_its_bounds(self):
        with pytest.raises(SpecError, match=r"'gap' has the unit 'points' and the bounds of a share.*Set bounds"):
            Metric("gap", unit="points")

    def test_code_of_it_that_fails_is_named(self):
        def broken(found):
            yield from plug_in_scores(found)
            yield found.observations.select("no_such_column")

        register(replace(PLUG_IN, scores=broken))
        words = r"Scoring last_step \(module \S*test_metrics_registry\) fails: ColumnNotFoundError"
        with pytest.raises(SpecError, match=words + ".*no_such_column.*no row has to be computed again"):
            estimates(run_of("AB"))

    def test_a_mistake_in_the_packages_own_is_no_user_s(self, monkeypatch):
        def broken(found):
            return 1 / 0

        broken.__module__ = "cotfaith.cluster.stats.metrics.last_step"
        register(PLUG_IN)
        monkeypatch.setitem(PLUG_IN.__dict__, "scores", broken)
        with pytest.raises(ZeroDivisionError):
            estimates(run_of("AB"))

    def test_its_scores_are_judged(self):
        register(PLUG_IN)
        found = run_of("A" * 10 + "B" * 10)
        made = score_all(found, {tested.name for tested in judged_metrics()})
        labelled = [Labelled(one, "organism", int(one.item_id[1:]) >= 10, (None, None)) for one in usable(found)]
        (figure,) = [f for f in figures(labelled, made, 0) if (f.metric, f.group) == ("last_step_change", "all")]
        assert (figure.auroc, figure.called_unfaithful, figure.n_missing) == (1.0, 0.5, 0)
        one_model = [replace(one, usable=replace(one.usable, model="skilled-50")) for one in labelled]
        moved = {("skilled-50", *key[1:]): value for key, value in made.chains["last_step_change"].items()}
        made.chains["last_step_change"].update(moved)
        checks = run_checks([], one_model, made, {"skilled-50": "organism:skilled-50"}, 0)
        (check,) = [c for c in checks if c.name.startswith("last_step_change: needed over decorative")]
        assert (check.value, check.result) == (1.0, "passed")

    def test_arms_without_a_position_count(self):
        """Their tokens, and their scores; a row that stands for a lost probe has neither."""
        register(PLUG_IN)
        found = run_of("AB", n_tokens=5)
        nothing = [pl.lit(None, pl.Int32).alias(name) for name in ("prompt_tokens", "n_tokens")]
        lost = found.observations.head(1).with_columns(*nothing, probe=pl.lit("no_cot"), status=pl.lit("item_error"))
        observations = pl.concat([found.observations, lost])
        spent = {cost.metric: cost.tokens_per_chain for cost in costs_of(usable(found), observations, [], 2)}
        assert (spent["last_step_change"], spent["raw_reliance"]) == (15, None)
        made = score_all(found, {"last_step_change"})
        assert [made.chain("last_step_change", one.key) for one in usable(found)] == [0.0, 1.0]

    def test_its_other_arms_compare_with_the_condition_that_it_names(self):
        """An arm whose reference is a near tie has no comparison."""
        register(replace(PLUG_IN, reference="base"))
        found = run_of("AB")
        base = found.observations.with_columns(condition=pl.lit("base"), near_tie=pl.col("item_id") == "i0")
        observations = pl.concat([found.observations, base.with_columns(arm=pl.lit("base"))])
        _, kept = without_near_ties(found.chains, observations)
        same = kept.filter(pl.col("condition").is_null()).select("item_id", "same_answer").rows()
        assert same == [("i0", None), ("i1", False)]


@pytest.mark.usefixtures("outside")
class TestRegister:
    def test_the_same_ones_again_change_nothing(self):
        register(METRICS["no_cot"])
        register(PLUG_IN)
        register(PLUG_IN)
        assert METRICS["last_step"] is PLUG_IN

    def test_the_function_for_plug_ins_of_every_kind_takes_them(self):
        register_any(PLUG_IN)
        assert METRICS["last_step"] is PLUG_IN

    def test_a_probe_that_has_others(self):
        with pytest.raises(SpecError, match="metrics for the probe 'no_cot', which already has metrics"):
            register(replace(PLUG_IN, probe="no_cot"))

    def test_a_metric_that_another_probe_has(self):
        taken = replace(PLUG_IN, metrics=(CHANGE, Metric("aoc", "trapezoid")))
        with pytest.raises(SpecError, match=r"metric 'aoc/trapezoid'.*the probe 'early_answering' already has"):
            register(taken)
        assert "last_step" not in METRICS


CODE = """
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics
FOUND = ProbeMetrics("mine", (Metric("mine_share"),), lambda rows: [])
OTHER = ProbeMetrics("yours", (), lambda rows: [])
"""


def install(folder, name, entries, code):
    """Put a package's metadata, and its one module, where Python looks for installed ones."""
    site = folder / f"site_{name}"
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[cotfaith.metrics]\n" + "".join(f"{entry}\n" for entry in entries))
    (site / f"{name}.py").write_text(code)
    sys.path.append(str(site))
    importlib.invalidate_caches()


@pytest.mark.usefixtures("outside")
class TestEntryPoints:
    def test_they_are_found_by_the_probes_name(self, tmp_path, monkeypatch):
        install(tmp_path, "good_metrics", ["mine = good_metrics:FOUND"], CODE)
        assert metrics_of("mine") is None  # a name in a run's folder imports nothing
        monkeypatch.setitem(PROBES.things, "mine", PROBES["no_cot"])  # now the process uses the probe
        assert metrics_of("mine").metrics[0].name == "mine_share"
        assert bounds_of("mine_share", None) == SHARE

    @pytest.mark.parametrize("entry", ["mine = odd_metrics:CODE", "mine = odd_metrics:OTHER"])
    def test_what_is_no_metrics_of_that_probe(self, tmp_path, monkeypatch, entry):
        install(tmp_path, "odd_metrics", [entry], CODE + "CODE = 5\n")
        monkeypatch.setitem(PROBES.things, "mine", PROBES["no_cot"])
        with pytest.raises(SpecError, match="Expected a ProbeMetrics with the name 'mine'"):
            metrics_of("mine")

    def test_what_cannot_be_loaded_and_two_of_a_name(self, tmp_path, monkeypatch):
        monkeypatch.setitem(PROBES.things, "mine", PROBES["no_cot"])
        install(tmp_path, "bad_metrics", ["mine = bad_metrics:FOUND"], "1 / 0")
        with pytest.raises(SpecError, match=r"'mine' from bad_metrics:FOUND .* cannot be loaded: ZeroDivision"):
            metrics_of("mine")
        install(tmp_path, "more_metrics", ["mine = more_metrics:FOUND"], CODE)
        with pytest.raises(SpecError, match=r"several packages offer a metric 'mine': .*bad_metrics.*more_metrics"):
            metrics_of("mine")


def test_every_probe_has_its_metrics_under_its_name():
    found = {probe for probe, one in METRICS.items() if probe is not None and one.theme is None}
    assert found - {"verbalises"} == set(PROBES) - {"verbalises"}  # rows of judges
    assert all(probe == one.probe or probe == one.theme for probe, one in METRICS.items())


def test_no_two_metrics_share_a_name_and_method():
    names = [metric.title for metric in all_metrics()]
    assert len(names) == len(set(names))
    tested = [(one.name, one.judged.level) for one in judged_metrics()]
    assert len(tested) == len(set(tested))
    streams = [(one.judged.stream, one.judged.level) for one in judged_metrics()]
    assert len(streams) == len(set(streams))


def test_bounds_of_what_is_not_declared():
    assert bounds_of("cot_gain", None) == DIFFERENCE
    assert bounds_of("status_share", "ok") == SHARE  # any status is a method of it
    assert bounds_of("mean_steps", None) is None
    with pytest.raises(SpecError, match="'cot_gain/other' is not declared"):
        bounds_of("cot_gain", "other")


RUN_CODE = """
import polars as pl
from cotfaith.cluster.stats.metrics.lib.frame import of_probe, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import Judged, Metric, ProbeMetrics

JUDGED = Judged("load_bearing", "chain", "high", 0.5, "a rule", "an example", "mine")
CHANGE = Metric("mine_change", judged=(JUDGED,))


def of_rows(rows):
    arms = of_probe(rows.observations, "mine")
    yield scores(arms, "mine", CHANGE, 1 - ok("same_answer").cast(pl.Float64))


FOUND = ProbeMetrics("mine", (CHANGE,), of_rows)
"""


@pytest.fixture
def finished(outside, tmp_path, monkeypatch):
    """A run's folder; its probe "mine" and the metrics of it come from an installed package."""
    mine = replace(PROBES["early_answering"], name="mine")
    monkeypatch.setitem(PROBES.things, "mine", mine)
    without_ray(monkeypatch)
    install(tmp_path, "mine_metrics", ["mine = mine_metrics:FOUND"], RUN_CODE)
    models = [{"id": "m", "engine": "stub"}, {"id": "reasoner", "engine": "stub", "source": "organism:reasoner"}]
    tasks = [{"name": "modular", "generator": "modular_chain", "n": 3}]
    spec = {"models": models, "tasks": tasks, "probes": ["mine"], "output": {"path": str(tmp_path / "run")}}
    assert execute(parse_spec(spec)) == []
    return tmp_path / "run"


def test_an_installed_packages_metrics_are_estimated_and_judged(finished):
    store = LocalStore(finished)
    run = load_run(store)
    made = validate(store, run)
    assert "mine_change" in {rule["name"] for rule in json.loads(made.as_json())["metrics"]}
    assert any(figure.metric == "mine_change" for figure in made.figures)
    found = {row["metric"] for row in write_estimates(store, run).to_pylist() if row["probe"] == "mine"}
    assert found >= {"mine_change", "status_share"}


def test_chains_under_an_intervention_are_not_validated(finished, monkeypatch):
    store = LocalStore(finished)
    run, tables = load_run(store), read_tables(store)
    name = pl.lit("hint.wrong").alias("variant")
    more = {key: pl.concat([table, table.with_columns(name)]) for key, table in tables.items() if key != "items"}
    plain = validate(store, run)
    monkeypatch.setattr(batches, "tables_of", lambda *_: tables | more)
    assert validate(store, run) == plain


def test_a_report_without_the_plug_in_says_what_it_leaves_out(finished, cli, monkeypatch):
    monkeypatch.delitem(PROBES.things, "mine")
    code, _, err = cli("aggregate", finished)
    assert (code, "No metrics are registered for mine" in " ".join(err.split())) == (0, True)
    monkeypatch.chdir(finished.parent)
    (finished.parent / "mine_here.py").write_text(
        "from cotfaith.cluster.stats.metrics import register\nfrom mine_metrics import FOUND\nregister(FOUND)\n"
    )
    code, _, err = cli("aggregate", finished, "--plugin", "mine_here")
    assert (code, err) == (0, "")
