"""A spec that holds anything: it is planned, or refused with an error of ours."""

import contextlib
from pathlib import Path
from typing import get_args

import pytest
import yaml
from damage import TEXTS, VALUES, changed, clear_error_or_none, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.spec_file import check_spec, load_spec
from cotfaith.schemas.errors import CotfaithError, SpecError
from cotfaith.schemas.spec import RoleName
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.probes import PROBES
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.generators import GENERATORS

SPEC = {
    "seed": 3,
    "models": [
        {"id": "m", "engine": "stub", "options": {"relies_on": "chain"}, "resources": {"gpus": 0, "threads": 1}},
        {"id": "e", "engine": "stub", "roles": ["editor"], "parameters": "135M", "family": "f", "loss": 2.5},
    ],
    "tasks": [
        {"name": "t", "generator": "addition", "n": 3, "options": {"digits": [1, 2], "choices": 4}},
        {
            "name": "f",
            "file": "task.jsonl",
            "fields": {"question": "q", "gold": "a"},
            "answer_format": "boolean",
            "n": 2,
        },
        {"name": "c", "file": "chains.jsonl", "adapter": "chains", "models": ["m"]},
    ],
    "sampling": {"chains_per_item": 1, "temperature": 0.8, "top_p": 0.95, "max_tokens": 64},
    "steps": {"unit": "sentence", "max_segments": 4},
    "strategies": ["cot"],
    "probes": ["no_cot", {"name": "early_answering", "options": {"max_positions": 4}}, "adding_mistakes"],
    "prompts": {"cot": "Think:"},
    "editor": {"by": "e"},
    "resources": {"replicas": 1, "shard_size": 2, "prices": {"gpu_hour": 2.5, "currency": "USD"}},
    "output": {"path": "run", "max_failed_share": 0.1},
}
HINTED = SPEC | {
    "tasks": SPEC["tasks"][:2],
    "interventions": [{"name": "suggested_answer", "arms": ["wrong"]}],
    "probes": [{"name": "verbalises"}, {"name": "no_cot", "variants": "all"}],
}
WORDS = sorted(
    {*ADAPTERS.names(), *GENERATORS.names(), *PROBES.names(), *INTERVENTIONS.names(), *get_args(RoleName)}
    | {"stub", "transformers", "openai", "m", "e", "task.jsonl", "chains.jsonl", "run", "hub/id", "always"}
    | {"cot", "factored_decomposition", "line", "auto", "score", "choice", "number", "text", "q", "a"}
)
"""Texts that are right in some place."""
TEXT = yaml.safe_dump(SPEC).encode()


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Files that the spec names; the working directory is theirs."""
    found = tmp_path_factory.mktemp("specs")
    with contextlib.chdir(found):
        Path("task.jsonl").write_text('{"q": "Is 1+1 2?", "a": "yes"}\n{"q": "Is 1+2 2?", "a": "no"}\n')
        Path("chains.jsonl").write_text('{"question": "1+1?", "cot": "One. Two.", "gold": "true"}\n')
        yield found


@pytest.mark.parametrize("spec", [SPEC, HINTED])
def test_the_specs_themselves_are_planned(spec):
    make_plan(check_spec(spec))


@fuzz
@given(damaged(TEXT))
def test_a_damaged_file_is_read_or_refused(data):
    Path("spec.yaml").write_bytes(data)
    with clear_error_or_none():
        load_spec("spec.yaml")


@fuzz
@given(st.lists(st.tuples(TEXTS | st.sampled_from(["models.m.options", "tasks.0.n", "output"]), TEXTS)))
def test_any_override_is_taken_or_refused(pairs):
    Path("spec.yaml").write_bytes(TEXT)
    with clear_error_or_none():
        load_spec("spec.yaml", [f"{key}={value}" for key, value in pairs])


@fuzz
@given(changed(SPEC, WORDS) | changed(HINTED, WORDS))
def test_a_changed_spec_is_planned_or_refused(data):
    with clear_error_or_none():
        make_plan(check_spec(data))


LAUGHS = "a: &a0 [x, x]\n" + "".join(f"b{at}: &a{at + 1} [*a{at}, *a{at}]\n" for at in range(25))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "stand for more than 1,000,000 values"),
        ("a: &a [*a]", "holds itself"),
        ("[" * 5000, "nested too deeply"),
        ("{a: " * 101 + "}" * 101, "nested too deeply"),
        ("a: !!bool maybe", "a value cannot be read"),
        ("a: !!timestamp x", "a value cannot be read"),
        ("a: 2026-99-99", "a value cannot be read"),
        ("a: " + "9" * 5000, "a value cannot be read"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_yaml_that_is_not_only_data_is_refused(text, reason):
    Path("spec.yaml").write_text(text)
    with pytest.raises(SpecError, match=reason):
        load_spec("spec.yaml")


@fuzz
@given(VALUES)
def test_what_is_no_spec_at_all_is_refused(data):
    with pytest.raises(CotfaithError):
        check_spec(data)
