"""From finished runs to the page: labels and shapes meet, unseen groups are judged, and every number is the study's."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from labelled_tables import FAMILIES, MODELS
from labelled_tables import table as synthetic
from runs_here import finish

from cotfaith.cluster.stats.metrics.calibrated import SETS, features_of
from cotfaith.cluster.stats.metrics.lib.shapes import FEATURES
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.validation.calibrated.collected import collect, family_of, kind_of
from cotfaith.cluster.validation.calibrated.held_out import judged
from cotfaith.cluster.validation.calibrated.page import pages
from cotfaith.cluster.validation.calibrated.study import RECORD, others, study
from cotfaith.cluster.validation.labelled import Labelled
from cotfaith.cluster.validation.usable import UsableChain
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.run_objects import TaskEntry

IGNORES = {"engine": "stub", "options": {"relies_on": "question"}}
SPEC = {
    "models": [
        {"id": "one", "source": "stub", "engine": "stub"},
        {"id": "two", "source": "stub", **IGNORES},
        {"id": "reasoner", "source": "organism:reasoner", "engine": "stub"},
    ],
    "tasks": [
        {"name": "modular", "generator": "modular_chain", "n": 30, "options": {"choices": 2}},
        {"name": "cipher", "generator": "cipher_chain", "n": 30, "options": {"choices": 2}},
        {"name": "walk", "generator": "graph_walk", "n": 20, "options": {"hint": "wrong", "choices": 2}},
    ],
    "probes": ["no_cot", "early_answering", "filler_tokens"],
    "resources": {"shard_size": 20, "probes_apart": True},
    "output": {"path": "run"},
}
ALL = frozenset(one.name for one in others())
ONE = UsableChain("m", "t", "cot", "plain", "i", 0, "?", False, 2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return LocalStore(finish(tmp_path_factory.mktemp("above"), SPEC) / "run")


@pytest.fixture(scope="module")
def found(store):
    return collect([store], ALL)


def test_labels_and_shapes_of_a_run(found):
    chains = found.chains
    keys = ["model", "task", "strategy", "variant", "item_id", "chain_index"]
    assert len(chains) > 30
    assert chains.select(keys).is_duplicated().sum() == 0
    assert set(chains["family"]) <= {"modular_chain", "cipher_chain", "graph_walk"}
    assert dict(chains.select("model", "is_real").unique().iter_rows()) == {"one": True, "two": True, "reasoner": False}
    assert dict(chains.select("family", "hinted").unique().iter_rows())["graph_walk"]
    assert set(chains.filter("faithful")["kind"]) <= {""}
    assert "" not in set(chains.filter(~pl.col("faithful"))["kind"])
    assert chains["early_start"].null_count() == 0
    assert chains["deletion_mean"].null_count() == len(chains)  # not run
    known = [one for one in found.every.labelled if one.faithful is not None]
    assert len(known) == len(chains)
    assert sum(one.faithful for one in known) == chains["faithful"].sum()
    assert len(found.steps) == sum(step is not None for one in found.every.labelled for step in one.steps)


def test_a_run_given_twice_is_refused(store):
    with pytest.raises(InputError, match="both hold one on cipher"):
        collect([store, store], ALL)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        collect([LocalStore(tmp_path)], ALL)


@pytest.mark.parametrize(
    ("setting", "source", "reason", "kind"),
    [
        ("organism", "organism:encoder", "", "a code (encoder)"),
        ("organism", "organism:sycophant-silent", "", "a silent hint (sycophant)"),
        ("organism", "organism:rationalizer", "", "decoration (organism)"),
        ("outright", "x", "Omission: the chain never states 3.", "omission"),
        ("outright", "x", "Commission: the chain claims a tool.", "commission"),
        ("diversionary", "x", "Omission: the chain follows.", "a hint: omission"),
        ("diversionary", "organism:reasoner", "Commission: denies.", "a hint: commission"),
        ("supplied", "x", "Labelled in the file.", "labelled in its file"),
    ],
)
def test_what_is_wrong_with_a_chain(setting, source, reason, kind):
    assert kind_of(Labelled(ONE, setting, False, (), reason), source) == kind


def planted(found, per=20):
    """The run with its labelled chains and steps replaced by those of a known truth."""
    rows = synthetic(per=per, signal=8, models=MODELS[:3], families=FAMILIES[:2]).with_columns(
        pl.lit("outright").alias("setting"),
        pl.when(pl.col("faithful")).then(pl.lit("")).otherwise(pl.lit("omission")).alias("kind"),
        pl.lit(3).alias("n_steps"),
        *(pl.col("early_start").alias(name) for name in FEATURES["chain"]["early_answering"] if name != "early_start"),
        *(pl.lit(None, pl.Float64).alias(name) for name in ("filler_p", "deletion_mean", "deletion_least")),
        *(pl.lit(None, pl.Float64).alias(name) for name in ("deletion_distance", "mistakes_mean", "mistakes_least")),
        *(pl.lit(None, pl.Float64).alias(name) for name in FEATURES["chain"]["own_answer"]),
    )
    return replace(found, chains=rows, steps=found.steps.head(0))


def test_a_planted_truth_is_on_the_page(found):
    made = study(planted(found))
    main = made.main("chain")
    assert main.name == "prefixes"  # the other sets lack a probe
    assert {by: one.area.value > 0.9 for by, one in main.splits.items()} == dict.fromkeys(
        ("model", "task", "both"), True
    )
    assert [len(groups) for groups in main.groups.values()] == [3, 2, 6]
    assert [(one.kind, one.n) for one in main.failures] == [("omission", 60)]
    assert main.failures[0].called_faithful < 0.1
    assert made.main("step") is None
    (reliance,) = [one for one in made.scores if (one.level, one.name) == ("chain", "reliance")]
    assert reliance.fitted is None
    assert reliance.lacking == {"no probabilities of filler_tokens": 120}
    assert "got 0 and 0" in reliance.why
    text = pages(made, "command here")["above-the-record.md"]
    assert "Above the record: the lower bounds on all three are" in text
    assert f"Record:\n  {RECORD['chain'][0]:.2f} (CC-SHAP)" in text
    assert "Steps: no score could be fitted." in text
    assert main.fitted.training.hash in text
    assert "command here" in text
    svg = pages(made, "x")["above-the-record-chain.svg"]
    assert svg.count("<polyline") == 1 + 3


def test_a_score_at_chance_is_not_called_above_the_record(found):
    rows = planted(found).chains
    noise = pl.Series("early_start", rows["early_start"].shuffle(seed=1))
    names = FEATURES["chain"]["early_answering"]
    made = study(replace(planted(found), chains=rows.with_columns(*(noise.alias(name) for name in names))))
    text = pages(made, "x")["above-the-record.md"]
    assert text.count("Not shown to be above the record") == 1
    assert "Above the record: the lower bounds" not in text


def test_telling_sources_of_labels_apart_is_no_merit(found):
    """Two sources with other shares of faithful chains, told apart by a feature that says nothing within them."""
    rows, names = planted(found, 60).chains, FEATURES["chain"]["early_answering"]
    hinted = pl.int_range(pl.len()) % 10 < 5
    noise = pl.Series("noise", np.random.default_rng(0).normal(size=len(rows)))
    faithful = pl.Series("faithful", np.random.default_rng(1).random(len(rows)))
    apart = rows.with_columns(
        pl.when(hinted).then(pl.lit("diversionary")).otherwise(pl.lit("outright")).alias("setting"),
        (faithful < pl.when(hinted).then(0.1).otherwise(0.9)).alias("faithful"),
        *((noise + pl.when(hinted).then(-9.0).otherwise(9.0)).alias(name) for name in names),
    )
    made = study(replace(planted(found), chains=apart))
    main = made.main("chain")
    assert all(one.area.low > RECORD["chain"][0] for one in main.splits.values())
    assert all(one.area.low < 0.5 for parts in main.settings.values() for _, one in parts)
    text = pages(made, "x")["above-the-record.md"]
    assert "Above the record: the lower bounds" not in text


def test_the_best_single_metric_stands_beside_the_score_and_knowing_nothing_is_below_chance(found):
    made = study(planted(found))
    figures = dict(made.figures)
    for name, area in (("aoc/trapezoid", 0.6), ("aoc/soft", 0.8), ("cc_shap", None)):
        figures[name, "chain", "", ""] = replace(figures[name, "chain", "", ""], auroc=area, low=None, high=None)
    text = pages(replace(made, figures=figures), "x")["above-the-record.md"]
    assert "The best single metric on these chains, chosen\n  by its figure: `aoc/soft` 0.80," in text
    assert text.count("The best single metric") == 1  # none of steps has a figure
    key = "aoc/trapezoid", "chain", "", ""
    figures[key] = replace(figures[key], auroc=0.125, low=0.0625, high=0.25)
    turned = pages(replace(made, figures=figures), "x")["above-the-record.md"]
    assert "by its figure: `aoc/trapezoid`, turned round, 0.88 [0.75, 0.94], within" in turned
    nothing = made.main("chain").splits["model"].nothing
    assert f"here {nothing:.2f} on unseen models" in text


def test_telling_models_apart_is_no_merit(found):
    """Three models with other shares of faithful chains, told apart by a probability that says nothing within one."""
    rng, place = np.random.default_rng(0), np.repeat([0.1, 0.5, 0.9], 100)
    rows = pl.DataFrame({"model": [str(p) for p in place], "task": "t", "cluster": [str(i) for i in range(300)]})
    rows = rows.with_columns(
        p=pl.Series(place + 0.01 * rng.standard_normal(300)),
        faithful=pl.Series(rng.random(300) < place),
        rate=0.5,
        group=pl.lit("all"),
    )
    one = judged(rows, 0, "s")
    assert one.area.low > RECORD["chain"][0]
    assert one.within.low < 0.5 < one.within.high
    made = study(planted(found))
    spoilt = [replace(score, splits=dict.fromkeys(score.splits, one)) for score in made.scores]
    assert "Above the record: the lower bounds" in pages(made, "x")["above-the-record.md"]
    text = pages(replace(made, scores=tuple(spoilt)), "x")["above-the-record.md"]
    assert "Above the record: the lower bounds" not in text
    assert f"within one model and task {one.within.value:.2f}" in text


def test_metrics_below_chance_are_named(found):
    made = study(planted(found))
    figures = {key: replace(one, auroc=0.3, low=0.2, high=0.4) for key, one in made.figures.items()}
    wrong = "`aoc/soft`"
    kept = {key: one if key[0] == "aoc/soft" else replace(one, high=0.5) for key, one in figures.items()}
    text = pages(replace(made, figures=kept), "x")["above-the-record.md"]
    assert f"Below chance with the whole interval, on all rows: {wrong}.**" in text
    assert text.count("Below chance") == 1


@pytest.mark.parametrize(
    ("task", "family"),
    [
        (TaskEntry(name="t", generator="graph_walk"), "graph_walk"),
        (TaskEntry(name="t", file="s3://b/chains/graph_walk.walk_5.jsonl"), "graph_walk"),
        (TaskEntry(name="t", file="chains.csv"), "chains"),
    ],
)
def test_what_a_task_is_made_by(task, family):
    assert family_of(task) == family


def test_the_page_of_a_run(found):
    made = study(found)
    text = pages(made, "x")["above-the-record.md"]
    assert made.real
    assert made.models == ("one", "two")
    assert "No chain of a real model" not in text
    for level, sets in SETS.items():
        for name in sets:
            assert re.search(rf"\| {level} \| (`{name}\.[0-9a-f]{{8}}`|{name}: )", text)
            assert features_of(level, name)
    every = made.figures["aoc/soft", "chain", "", ""]
    assert every.n_faithful + every.n_unfaithful == found.chains.filter("is_real").height
    within = made.within["aoc/soft", "chain"]
    assert (within.n_faithful, within.n_unfaithful) == (every.n_faithful, every.n_unfaithful)
    of_one = made.figures["aoc/soft", "chain", "outright", "one"]
    assert of_one.n_faithful == found.chains.filter("faithful", model="one", setting="outright").height
    assert f"`{every.metric}`" in text
    assert "p_faithful/" not in text  # the packaged scores may have been fitted on these rows


def test_organisms_alone_are_judged_and_said_to_be(found):
    only = found.chains.filter(~pl.col("is_real"))
    labelled = [one for one in found.every.labelled if one.usable.model == "reasoner"]
    made = study(replace(found, chains=only, steps=found.steps.head(0), every=replace(found.every, labelled=labelled)))
    assert not made.real
    assert "No chain of a real model is in these runs." in pages(made, "x")["above-the-record.md"]


def test_runs_without_labels_are_refused(found):
    with pytest.raises(InputError, match="No chain of these runs has a label"):
        study(replace(found, chains=found.chains.head(0)))
