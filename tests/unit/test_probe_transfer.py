from dataclasses import replace

import pytest
from scripted import ITEM, Scripted, chain_of

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.probes.lib.readers import reader_ids
from cotfaith.workers.probes.transfer import PROBE, Options
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

MODELS = [
    {"id": "author", "engine": "stub"},
    {"id": "other", "engine": "stub", "thinking": "think_tags"},
    {"id": "writer", "engine": "stub", "roles": ["editor"]},
]
CHAIN = chain_of(" Blood is red.", " So it is blood.", answer="B")


def spec_with(readers=None):
    probe = {"name": "transfer", "options": {"readers": readers}}
    return parse_spec({"models": MODELS, "tasks": [{"name": "t", "generator": "addition"}], "probes": [probe]})


def read_by(reader, chain, engine):
    """Run the probe as the driver does: the reader's model and engine, the author's chain."""
    spec = spec_with()
    model = next(model for model in spec.models if model.id == reader)
    work = ShardWork(spec, model, spec.tasks[0], "cot", (ITEM,), ByteCodec())
    return [row.observation for row in work.run_probes([chain], ["transfer"], {"subject": engine})]


class Remembers(Scripted):
    def score(self, requests):
        self.prompts += [bytes(request.prompt).decode() for request in requests]
        return super().score(requests)


def test_one_arm_that_says_who_read():
    (row,) = read_by("author", CHAIN, Scripted(str, lambda prompt, word: 0.0 if word == "B" else -1.0))
    assert (row.arm, row.reader, row.answer.value, row.reference.value) == ("reader=author", "author", "B", "B")
    assert (row.position, row.text, row.chain_index, row.n_steps) == (None, None, 0, 2)


def test_the_reader_is_asked_in_its_own_way_about_the_authors_chain():
    engine = Remembers(str)
    read_by("author", CHAIN, engine)
    read_by("other", CHAIN, engine)
    plain, thinking = engine.prompts
    assert CHAIN.text in plain
    assert CHAIN.text in thinking
    assert "</think>" in thinking
    assert "</think>" not in plain


def test_a_chain_that_cannot_be_read_is_a_row_of_that_reader():
    (row,) = read_by("other", replace(CHAIN, status=Status.TRUNCATED, error="cut"), Scripted(str))
    assert (row.arm, row.reader, row.answer.status, row.answer.error) == ("chain", "other", Status.TRUNCATED, "cut")


def test_readers_are_the_subjects_or_those_that_are_named():
    assert reader_ids(spec_with(), PROBE, Options(), "t") == ("author", "other")
    assert reader_ids(spec_with(), PROBE, Options(readers=("other",)), "t") == ("other",)
    assert reader_ids(spec_with(), PROBE, Options(readers=("other", "author", "other")), "t") == ("author", "other")


@pytest.mark.parametrize("wrong", ["writer", "othr"])
def test_others_cannot_read(wrong):
    with pytest.raises(SpecError, match=f"Unknown subject '{wrong}'.*Known: author, other"):
        reader_ids(spec_with(), PROBE, Options(readers=(wrong,)), "t")


def test_the_plan_knows_the_arm():
    assert PROBE.readers
    assert [arm.chain_tokens for arm in PROBE.arms(Shape(1, 3, 30), Options())] == [30]
