"""Sizes, families, checkpoints and losses of models: in the spec, at plan, and in a finished run."""

import pytest
from runs_here import finish

from cotfaith.cluster.plan import sizes
from cotfaith.cluster.plan.sizes import with_sizes
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.amounts import amount
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec

TASKS = [{"name": "t", "generator": "addition"}]


def spec(*models):
    told = [{"engine": "stub", **model} for model in models]
    return parse_spec({"models": told, "tasks": TASKS})


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (135_000_000, 135_000_000),
        (135e6, 135_000_000),
        ("135M", 135_000_000),
        ("1.5b", 1_500_000_000),
        ("135e6", 135_000_000),
        (" 7 B ", 7_000_000_000),
        ("2T", 2_000_000_000_000),
        ("289248", 289_248),
    ],
)
def test_amounts_are_read(told, read):
    assert amount(told) == read
    assert spec({"id": "m", "parameters": told}).models[0].parameters == read


@pytest.mark.parametrize(
    "told",
    [0, -5, 0.4, True, "", "many", "135 million", "-3M", "M", "1e999", float("nan"), float("inf"), "٣M", 10**400, [1]],
)
def test_what_is_no_amount_is_refused(told):
    with pytest.raises(SpecError, match=r"models\.0\.parameters: expected a number of at least 1, such as"):
        spec({"id": "m", "parameters": told})


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -0.1, "low"])
def test_a_loss_is_a_finite_number(loss):
    with pytest.raises(SpecError, match=r"models\.0\.loss"):
        spec({"id": "m", "loss": loss})


BIG = {"id": "big", "family": "f", "parameters": "2M"}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([BIG, {"id": "c", "checkpoint_of": "bug"}], "Did you mean 'big'"),
        ([BIG, {"id": "c", "checkpoint_of": "c"}], "Unknown subject 'c'"),
        ([BIG, {"id": "c", "checkpoint_of": "big"}, {"id": "d", "checkpoint_of": "c"}], "is itself a checkpoint"),
        ([BIG, {"id": "c", "checkpoint_of": "big", "family": "g"}], "its family is g, that of 'big' is f"),
        ([BIG, {"id": "c", "checkpoint_of": "big", "parameters": 7}], "its parameters is 7, that of 'big' is 2000000"),
        ([BIG, {"id": "j", "roles": ["judge"]}, {"id": "c", "checkpoint_of": "j"}], "Unknown subject 'j'"),
    ],
)
def test_a_checkpoint_is_of_a_subject_of_its_family(models, expected):
    with pytest.raises(SpecError) as caught:
        spec(*models)
    assert expected in str(caught.value)


def test_a_checkpoint_may_repeat_what_its_model_has():
    found = spec(BIG, {**BIG, "id": "c", "checkpoint_of": "big", "loss": 0.5}).models[1]
    assert (found.checkpoint_of, found.loss, found.family) == ("big", 0.5, "f")


def test_sizes_of_a_family_are_counted_and_others_are_left_alone():
    told = [
        {"id": "a", "family": "f", "source": "organism:reasoner", "engine": "transformers"},
        {"id": "b", "family": "f", "source": "organism:reasoner-48", "engine": "transformers", "parameters": 5},
        {"id": "c", "source": "organism:reasoner", "engine": "transformers"},
        {"id": "d", "source": "organism:reasoner-step0200", "engine": "transformers", "checkpoint_of": "a"},
    ]
    assert [model.parameters for model in with_sizes(spec(*told)).models] == [289_248, 5, None, None]


def test_every_model_of_unknown_size_is_named(monkeypatch):
    monkeypatch.setattr(sizes, "parameters", lambda model: None)
    weights = {"id": "w", "family": "f", "source": "organism:reasoner", "engine": "transformers"}
    with pytest.raises(SpecError) as caught:
        with_sizes(spec(weights, {"id": "s", "family": "f"}, {"id": "n"}))
    first, second = str(caught.value).splitlines()
    assert first.startswith("models.w.parameters: it has the family 'f'")
    assert second.startswith("models.s.parameters")
    assert "Set parameters, such as 135M" in second


def test_sizes_can_be_told_of_a_finished_run(tmp_path, monkeypatch):
    """Nothing is computed again: no job is left, the rows and the identity stay."""
    jobs = []
    run = {"models": [{"id": "a", "engine": "stub"}, {"id": "b", "engine": "stub"}], "output": {"path": "run"}}
    tasks = [{"name": "t", "generator": "addition", "n": 2}]
    folder = finish(tmp_path, run | {"tasks": tasks}) / "run"
    before, rows = load_run(LocalStore(folder)), sorted(folder.rglob("*.parquet"))
    monkeypatch.setattr("runs_here.run_job", lambda job, *_: jobs.append(job))
    told = [{"id": "a", "engine": "stub", "family": "f", "parameters": "2M", "loss": 0.5}]
    told.append({"id": "b", "engine": "stub", "checkpoint_of": "a", "loss": 1})
    finish(tmp_path, run | {"models": told, "tasks": tasks})
    after = load_run(LocalStore(folder))
    assert jobs == []
    assert sorted(folder.rglob("*.parquet")) == rows
    assert after.identity == before.identity
    first, second = after.spec.models
    assert (first.family, first.parameters, first.loss) == ("f", 2_000_000, 0.5)
    assert (second.checkpoint_of, second.loss) == ("a", 1.0)
    assert [(one.family, one.parameters, one.checkpoint_of, one.loss) for one in before.spec.models] == [
        (None,) * 4
    ] * 2
