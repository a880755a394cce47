"""An intervention from outside the package: the page docs/interventions.md, word by word."""

import re
import sys

import pytest
import yaml

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import InterventionSpec, parse_spec
from cotfaith.workers.interventions import INTERVENTIONS, find_intervention
from cotfaith.workers.interventions.lib.applied import Applied
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.resolved import resolve
from cotfaith.workers.text.questions import framed_text

ITEM = Item("a", "Which is red?", "B", "choice", ("sky", "blood"))


@pytest.fixture
def page(repo, tmp_path, monkeypatch):
    """The page's code blocks; its module is in the working directory, and forgotten after the test."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", (repo / "docs" / "interventions.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(INTERVENTIONS.things)
    (tmp_path / "tutor_of_the_page.py").write_text(next(text for language, text in blocks if language == "python"))
    yield [text for language, text in blocks if language == "yaml"]
    INTERVENTIONS.things.clear()
    INTERVENTIONS.things.update(before)
    sys.modules.pop("tutor_of_the_page", None)


def test_the_pages_intervention_is_found_and_passes_the_checks(page):
    import_plugins(["tutor_of_the_page"])
    found = Applied(*find_intervention(InterventionSpec(name="tutor"))).items(0, "t", ITEM)
    assert framed_text(found["tutor.wrong"]).startswith("My tutor says: (A).\n\nWhich is red?\nChoices:")
    assert framed_text(found["tutor.neutral"]).startswith("My tutor says: think hard.")
    line = next(one for one in INTERVENTIONS.listed() if one.name == "tutor")
    assert line.origin == "module tutor_of_the_page"
    assert line.summary == "Let a tutor name an answer before the question. An example."


def test_the_pages_specs_are_specs(page):
    whole = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "tracking_objects"}]}
    run, task = (yaml.safe_load(text) for text in page)
    found = resolve(parse_spec(whole | run))
    assert [found.variants_of(probe) for probe in found.probes] == [
        found.variants,
        ("plain", "suggested_answer.wrong"),
    ]
    assert parse_spec(whole | task).tasks[0].few_shot.k == 5
