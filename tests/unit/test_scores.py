"""What is reported is what is validated: on a run of all probes, each estimate is the mean of the registry's scores."""

import random
from collections import defaultdict
from dataclasses import replace

import polars as pl
import pytest
from runs_here import without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.stats.aggregate import aggregate, estimates_of
from cotfaith.cluster.stats.metrics import METRICS, all_effects, all_metrics, all_scores, find_metric
from cotfaith.cluster.stats.metrics.lib.frame import NAME, SCORE
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Rows, title
from cotfaith.cluster.stats.near_ties import tallies_of
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.scored import score_all
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.probes import PROBES

GROUP = ["model", "task", "strategy", "variant"]
READINGS = [name for name, probe in PROBES.items() if name in ("verbalises", "obeys") or probe.reader_role != "reader"]
"""What rules and other models say of chains has tests of its own."""
ON_PLAIN = [name for name in PROBES if name not in READINGS]
_ELSEWHERE = ("switches", "pairs", "agreement", "naming", *READINGS)
"""Metrics that this run has none of."""
SMALL = {"cc_shap": {"segments": 2, "orders": 2}}
"""Options of probes: of CC-SHAP's usual arms some would fail in each chain, which then has no score."""
OF_SEVERAL = ("necessity", "necessity_share", "no_cot_horizon", "difficulty_trend", "unfaithful_at_most")
UNMADE = {("need_share", None), ("mistakes_aoc", "needed")}
"""Metrics that have an estimate, with a reason, where no item has a score."""
OUTCOMES = ["answer", "correct", "same_answer", "p_gold", "candidates", "candidate_logprobs", "near_tie", "tied", "gap"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A stub run of all these probes, two models and two strategies, with failures and near ties drawn at random."""
    folder = tmp_path_factory.mktemp("scores")
    spec = parse_spec(
        {
            "models": [
                {"id": "reads", "engine": "stub", "options": {"max_steps": 4}},
                {"id": "ignores", "engine": "stub", "options": {"relies_on": "question", "max_steps": 4}},
            ],
            "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 6}],
            "strategies": ["cot", "cot_decomposition"],
            "sampling": {"chains_per_item": 2},
            "probes": [{"name": one, "options": SMALL.get(one, {})} for one in ON_PLAIN],
            "output": {"path": str(folder / "run")},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        assert execute(spec) == []
    tables = read_tables(LocalStore(folder / "run"))
    return Rows(tables["items"], _worn(tables["chains"]), _worn(_moved(_reworded(tables["observations"]))))


def _reworded(observations):
    """Give the first chains' paraphrases an outcome: the rules know no other words for the stub's steps."""
    lost = (pl.col("condition") == "paraphrased") & (pl.col("status") == "edit_failed") & (pl.col("chain_index") == 0)
    plain = observations.filter(pl.col("condition") == "resampled")
    key = [*GROUP, "item_id", "chain_index", "position"]
    other = observations.join(plain.select(*key, *OUTCOMES), on=key, how="left", suffix="_plain", maintain_order="left")
    taken = [pl.when(lost).then(f"{name}_plain").otherwise(name).alias(name) for name in OUTCOMES]
    edits = [pl.when(lost).then(True).otherwise(name).alias(name) for name in ("edit_changed", "edit_plausible")]
    found = other.with_columns(*taken, *edits, status=pl.when(lost).then(pl.lit("ok")).otherwise("status"))
    return found.select(observations.columns)


def _moved(observations):
    """Let CC-SHAP's log-probabilities depend on what is masked: the stub's do not, and then no chain has a score."""
    rng = random.Random(6)
    values = pl.Series([[-rng.random()] for _ in range(observations.height)])
    of_probe = (pl.col("probe") == "cc_shap") & pl.col("candidate_logprobs").is_not_null()
    drawn = pl.when(of_probe).then(values).otherwise("candidate_logprobs").alias("candidate_logprobs")
    return observations.with_columns(drawn)


def _worn(rows):
    """Let some rows fail, and some be near ties."""
    rng = random.Random(5)
    lost = pl.Series([rng.random() < 0.08 for _ in range(rows.height)])
    near = pl.Series([rng.random() < 0.05 for _ in range(rows.height)])
    rows = rows.with_columns(near_tie=pl.when(pl.col("near_tie").is_not_null()).then(near))
    kept = [pl.when(~lost).then(name).alias(name) for name in OUTCOMES if name in rows.columns]
    return rows.with_columns(*kept, status=pl.when(lost).then(pl.lit("engine_error")).otherwise("status"))


@pytest.fixture(scope="module")
def estimates(rows):
    return aggregate(rows.items, rows.chains, rows.observations, "r", 7).to_pylist()


@pytest.fixture(scope="module")
def frames(rows):
    return [frame for frame in all_scores(rows) if len(frame)]


def _is_of_several(metric):
    """Return whether the estimates of a metric rest on several metrics' sums: then it has no scores."""
    return metric in OF_SEVERAL or metric.startswith("standardised_")


def test_the_run_has_all_probes_failures_and_near_ties(rows, estimates):
    assert set(rows.observations["probe"]) == set(ON_PLAIN)
    assert set(rows.observations["status"]) >= {"ok", "engine_error", "edit_failed"}
    assert rows.observations["near_tie"].any()
    assert any(row["clear_n_ok"] is not None for row in estimates)
    assert len({(row["model"], row["strategy"]) for row in estimates}) == 4


def test_every_estimate_is_the_mean_of_the_registrys_scores(estimates, frames):
    """Item by item: first each item's sum, then the items'; nothing else may stand between scores and an estimate."""
    sums = defaultdict(list)
    for frame in frames:
        for row in frame.filter(pl.col("step").is_null()).to_dicts():
            sums[*(row[name] for name in (*GROUP, *NAME, "position"))].append(row)
    unmade = [row for row in estimates if row["value"] is None and (row["metric"], row["method"]) in UNMADE]
    own = [row for row in estimates if not _is_of_several(row["metric"]) and row not in unmade]
    assert {row["strategy"] for row in unmade} == {"cot_decomposition"}, "its chains have one step"
    assert {tuple(row[name] for name in (*GROUP, *NAME, "position")) for row in own} == set(sums)
    for estimate in own:
        found = sums[*(estimate[name] for name in (*GROUP, *NAME, "position"))]
        known = [row for row in found if row["value"] is not None]
        weight = sum(row["per"] for row in known)
        value = sum(row["value"] for row in known) / weight if weight else None
        assert estimate["value"] == (None if value is None else pytest.approx(value)), estimate
        assert (estimate["n_ok"], estimate["n_total"]) == (len(known), len(found))
        assert estimate["n_items"] == len({row["item_id"] for row in known})


def test_every_estimate_is_declared_with_bounds_and_unit(estimates):
    for row in estimates:
        metric = find_metric(row["metric"], row["method"])
        assert metric.unit in ("share", "points", "nats", "steps", "ratio", "difficulty")
        if metric.bounds is None:
            assert row["least"] is row["most"] is None
            continue
        low, high = metric.bounds
        for name in ("value", "ci_low", "ci_high", "least", "most"):
            assert row[name] is None or low <= row[name] <= high, row


def test_every_metric_that_is_declared_is_measured(frames):
    measured = {(frame["metric"][0], frame["method"][0]) for frame in frames}
    names = {name for name, _ in measured}
    elsewhere = {"hint_admitted", "forced_share", "answer_readings_differ", "accuracy_cot/by_difficulty"}
    elsewhere |= {metric.title for name in _ELSEWHERE for metric in METRICS[name].metrics}
    elsewhere |= {"need_share/answers", "need_share/answers_by_difficulty"}
    elsewhere |= {f"recorded_{name}{method}" for name in ("agreement", "share") for method in ("", "/*")}
    for metric in all_metrics():
        if metric.title not in elsewhere and not _is_of_several(metric.name):
            assert (metric.name in names) if metric.method == ANY else (metric.name, metric.method) in measured, metric


def test_what_is_judged_is_what_is_summed(rows, frames):
    """Each judged metric's scores are rows of the frames that the estimates sum, to the last digit."""
    by_name = defaultdict(list)
    for frame in frames:
        by_name[title(frame["metric"][0], frame["method"][0])].append(frame)
    made = score_all(rows, {tested.name for tested in judged_metrics()})
    for tested in judged_metrics():
        if tested.name in ("hint_admitted", "monitor_flagged_own_hint"):  # no item of this run has a hint
            continue
        of_step = tested.judged.level == "step"
        found = [row for frame in by_name[tested.name] for row in frame.to_dicts()]
        found = [row for row in found if (row["step"] is not None) == of_step and row["value"] is not None]
        assert found, tested.name
        for row in found:
            key = tuple(row[name] for name in (*GROUP, "item_id", "chain_index"))
            judged = made.steps[tested.name][key, row["step"]] if of_step else made.chain(tested.name, key)
            assert judged == row["value"]


def test_a_chains_score_is_the_mean_of_its_steps(frames):
    """One quantity at two levels; mistakes_aoc is 1 minus a mean, which may round otherwise."""
    steps, chains = defaultdict(list), {}
    for frame in frames:
        for row in frame.filter(pl.col("position").is_null(), pl.col("value").is_not_null()).to_dicts():
            key = tuple(row[name] for name in (*NAME, *GROUP, "item_id", "chain_index"))
            if row["step"] is None:
                chains[key] = row["value"]
            else:
                steps[key].append(row["value"])
    assert {key[1] for key in steps} >= {"mistakes_aoc", "deletion_same_answer", "early_importance"}
    for key, values in steps.items():
        assert chains[key] == pytest.approx(sum(values) / len(values)), key


def test_frames_hold_one_metric_each(frames):
    for frame in frames:
        assert frame.columns == SCORE
        assert frame.select(NAME).unique().height == 1
        keys = ["model", "task", "strategy", "item_id", "chain_index", "step", "position"]
        assert frame["value"].is_nan().sum() == 0
        if frame["step"].null_count() == 0:
            assert not frame.select(keys).is_duplicated().any()


def test_a_reported_metric_without_scores_would_be_noticed(rows, estimates, monkeypatch):
    """The other way round: take a metric's scores away, and its estimates are gone."""
    early = METRICS["early_answering"]

    def fewer(found):
        return [frame for frame in early.scores(found) if not len(frame) or frame["method"][0] != "trapezoid"]

    monkeypatch.setitem(METRICS, "early_answering", replace(early, scores=fewer))
    left = set(all_effects(rows.items, rows.chains, rows.observations).select("metric", "method").iter_rows())
    gone = {(row["metric"], row["method"]) for row in estimates} - left
    assert {key for key in gone if not _is_of_several(key[0])} == {("aoc", "trapezoid")}


def occurring(rows):
    """What ``storage.batches.occurring`` reads from commits."""
    nobody = [pl.lit(None, pl.String).alias(name) for name in ("probe", "reader")]
    observed = rows.observations.select(*GROUP, "probe", "reader", "status")
    return pl.concat([rows.chains.select(*GROUP, *nobody, "status"), observed]).unique()


def in_parts(rows, sizes):
    """Return the rows of the first items, of the next ones, ...; ``sizes``: how many."""
    items, whole = rows.items["item_id"].unique().sort().to_list(), occurring(rows)
    assert sum(sizes) == len(items)
    for size in sizes:
        own, items = pl.col("item_id").is_in(items[:size]), items[size:]
        yield Rows(rows.items.filter(own), rows.chains.filter(own), rows.observations.filter(own), whole)


def incomplete(rows):
    """Leave out what interrupted runs lack: one item has no answer without a chain, one no filler, one no reader."""
    items = rows.items["item_id"].unique().sort().to_list()
    probe, item = pl.col("probe"), pl.col("item_id")
    gone = [
        probe.is_in(["no_cot", "answer_order"]) & (item == items[0]),
        (probe == "filler_tokens") & (item == items[1]),
        (probe == "transfer") & (pl.col("reader") == "ignores") & (item == items[2]),
        (probe == "no_cot") & (pl.col("model") == "reads") & (pl.col("strategy") == "cot"),
        (item == items[3]) & (probe != "step_deletion"),
    ]
    kept = rows.observations.filter(~pl.any_horizontal(gone))
    odd = (item == items[4]) & (pl.col("arm") == kept.filter(item == items[4])["arm"][0])
    status = pl.when(odd).then(pl.lit("refused")).otherwise("status").alias("status")  # a status that one item has
    outcomes = [pl.when(~odd).then(name).alias(name) for name in OUTCOMES]
    clear = pl.when(item == items[5]).then("near_tie").otherwise(pl.col("near_tie") & False).alias("near_tie")
    return replace(rows, observations=kept.with_columns(status, *outcomes).with_columns(clear))


@pytest.mark.parametrize("made", [lambda rows: rows, incomplete], ids=["whole", "incomplete"])
def test_sums_of_parts_give_the_estimates_of_the_whole(rows, made):
    """No item's score needs another item's rows, and what items decide together is decided on the sums.

    It takes seconds, for all metrics of all probes, twice: in one part and in three.
    """
    found = made(rows)
    whole = aggregate(found.items, found.chains, found.observations, "r", 7).to_pylist()
    parted = estimates_of(map(tallies_of, in_parts(found, (1, 3, 2))), [], "r").to_pylist()
    assert len(whole) == len(parted) > 900
    for one, other in zip(whole, parted, strict=True):
        floats = {name for name, value in one.items() if isinstance(value, float)}
        assert {name: one[name] for name in one.keys() - floats} == {name: other[name] for name in one.keys() - floats}
        assert {n: one[n] for n in floats} == pytest.approx({n: other[n] for n in floats}, rel=1e-12, abs=1e-12)
