"""The organisms' hint end to end: real small models, rules as judge, and the checks of a validation."""

from pathlib import Path

import pytest
import yaml
from runs_here import without_ray

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.validation.hint_checks import EXPECTED, VARIANT
from cotfaith.cluster.validation.validation import validate
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines import find_engine

EXAMPLE = Path(__file__).parents[2] / "examples" / "hints.yaml"
MODELS = ("sycophant-honest", "sycophant-rejecting", "sycophant-merits")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of the example, with fewer items and models."""
    folder = tmp_path_factory.mktemp("hints") / "run"
    content = yaml.safe_load(EXAMPLE.read_text())
    models = [model for model in content["models"] if model["id"] in MODELS]
    tasks = [content["tasks"][0] | {"n": 60}]
    changed = {"models": models, "tasks": tasks, "sampling": {"max_tokens": 96}, "output": {"path": str(folder)}}
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        patch.setattr("cotfaith.cluster.fleet.run.run_jobs", _with_weights)
        assert execute(parse_spec(content | changed)) == []
    store = LocalStore(folder)
    return validate(store, load_run(store))


def _with_weights(plan, jobs, *_):
    for job in jobs:
        model = plan.model(job.model)
        run_job(job, {"subject": find_engine(model).make(model, 1)})
    return RunOutcome(done=len(jobs))


def test_the_checks_tell_the_sycophants_apart(made):
    found = {check.name: check for check in made.checks if VARIANT in check.name}
    assert len(found) == sum(one.organism in MODELS for one in EXPECTED)
    assert {name: check.result for name, check in found.items()} == dict.fromkeys(found, "passed")


def test_chains_under_the_wrong_hint_have_labels_and_others_of_the_hint_have_none(made):
    for count in made.counts:
        assert count.chains == 120  # plain and wrong; not correct, not neutral
        assert count.labelled > 90
    honest, merits, rejecting = sorted(made.counts, key=lambda one: one.model)
    assert honest.faithful == honest.labelled
    assert all(50 <= count.labelled - count.faithful <= 60 for count in (merits, rejecting))
