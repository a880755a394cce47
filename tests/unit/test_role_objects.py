"""Roles as objects: one table, and what the plan makes of it."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from cotfaith.cluster.plan.costs import costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.spec import RoleName, parse_spec
from cotfaith.workers.probes import PROBES
from cotfaith.workers.probes.lib.probe import Arm
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, find_prompt
from cotfaith.workers.roles.table import HELPERS, ROLES

M = {"id": "m", "engine": "stub"}
E = {"id": "e", "engine": "stub", "roles": ["editor"]}


def spec_of(*models, probes=("no_cot",)):
    return parse_spec(
        {
            "models": list(models),
            "tasks": [{"name": "t", "generator": "addition", "n": 2}],
            "probes": list(probes),
        }
    )


def test_every_role_of_a_spec_is_in_the_table():
    assert tuple(ROLES) == get_args(RoleName)
    assert all(role.name == name for name, role in ROLES.items())


@pytest.mark.parametrize("role", ["judge", "monitor", "observer"])
def test_a_reader_that_nothing_asks_is_refused(role):
    with pytest.raises(
        SpecError, match=rf"models\.x\.roles: {role}, but no probe of the spec asks for it\. .*this role"
    ):
        make_plan(spec_of(M, {"id": "x", "engine": "stub", "roles": [role]}))


def test_also_beside_other_roles():
    with pytest.raises(SpecError, match=r"models\.m\.roles: judge"):
        make_plan(spec_of({**M, "roles": ["subject", "judge"]}))


def test_a_probe_that_needs_what_nothing_offers_is_refused(monkeypatch):
    monkeypatch.setitem(PROBES.things, "no_cot", replace(PROBES["no_cot"], needs=frozenset({"answer", "judge"})))
    with pytest.raises(CapabilityError, match=r"'no_cot' needs judge, which nothing offers\. Known: answer, editor"):
        make_plan(spec_of(M))


def test_the_plan_prices_an_editor_by_its_requests():
    spec = spec_of(M, E, probes=("adding_mistakes",))
    plan = make_plan(spec)
    (line,) = [line for line in costs(plan, 100) if line.model == "e"]
    arms = [Arm(1, edits=2, edited=30), Arm(1), Arm(1, edits=1, edited=5)]
    work = HELPERS["editor"].work(spec, plan.resolved.models["e"], arms)
    longest = max(len(find_prompt(kind, spec.editor).text.encode()) for kind in PROMPT_KINDS)
    assert (work.requests, work.generated_tokens, work.distinct_tokens) == (3, 35, 70)
    assert work.prompt_tokens == 3 * longest + 70
    assert line.requests > 0


def test_an_embedder_compares_two_texts_an_arm():
    spec = spec_of(M)
    work = HELPERS["embedder"].work(spec, make_plan(spec).resolved.models["m"], [Arm(1), Arm(9, edits=1, edited=5)])
    assert (work.requests, work.prompt_tokens, work.generated_tokens) == (4, 80, 0)


NAMES = "|".join(get_args(RoleName))
DECIDES = re.compile(rf"""\brole\s*(==|!=)\s*["']({NAMES})["']|["']({NAMES})["']\s*(==|!=|in needs\b)""")


def test_no_code_decides_by_a_roles_name(repo):
    assert DECIDES.search('count = edits if role == "editor" else vectors')
    for path in [path for folder in ("cluster", "workers") for path in (repo / folder).rglob("*.py")]:
        assert not DECIDES.search(path.read_text()), path


def test_a_plug_in_whose_arms_fail_is_named(monkeypatch):
    def arms(shape, options):
        return 1 / 0

    monkeypatch.setitem(PROBES.things, "no_cot", replace(PROBES["no_cot"], arms=arms))
    words = r"Planning the arms of no_cot \(module \S*test_role_objects\) fails: ZeroDivisionError.*then plan again"
    with pytest.raises(SpecError, match=words):
        costs(make_plan(spec_of(M)), 100)
