"""Plug-ins that are wrong: the error names them, and what is no score is not summed."""

from dataclasses import replace

import polars as pl
import pytest

import cotfaith
from cotfaith import Adapter, Generator, InputError, Item, ModelSpec, NoOptions, Rows, TaskSpec
from cotfaith.cluster.stats.metrics import METRICS, all_scores
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.engines.resolved import resolve_model
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import register
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.load import load_task

ITEM = Item("a", "Which?", "A", "choice", ("x", "y"))


def test_a_module_that_ends_itself(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ends_itself.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(InputError, match="module 'ends_itself' fails: SystemExit: 0"):
        import_plugins(["ends_itself"])


@pytest.mark.parametrize("options", [None, dict, NoOptions()])
def test_options_that_are_no_section(options):
    with pytest.raises(InputError, match=r"'mine' with the options .*: expected a subclass of Section"):
        register(replace(PROBES["no_cot"], name="mine", options=options))
    assert "mine" not in PROBES


@pytest.mark.parametrize(("wrong", "words"), [({"level": "step"}, "level 'step'"), ({"needs": ["answer"]}, "a list")])
def test_a_probe_with_a_wrong_field(wrong, words):
    with pytest.raises(InputError, match=words):
        replace(PROBES["no_cot"], **wrong)


def raising(*_):
    raise KeyError("z")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (raising, "Making items of task 't' .*KeyError"),
        (lambda options, draw: None, "expected an Item, got a NoneType"),
        (lambda options, draw: replace(ITEM, id=5), "its id is 5; expected a text"),
        (lambda options, draw: replace(ITEM, question=5), "its question is 5; expected a text"),
    ],
)
def test_a_generator_without_items(monkeypatch, make, words):
    monkeypatch.setitem(GENERATORS.things, "mine", Generator("mine", "s", NoOptions, make))
    with pytest.raises(InputError, match=words):
        load_task(TaskSpec(name="t", generator="mine", n=2), 0)


@pytest.mark.parametrize(
    ("read", "words"), [(raising, "Reading task 't' .*KeyError"), (lambda *_: [{}], "expected an Item, got a dict")]
)
def test_an_adapter_without_items(monkeypatch, tmp_path, read, words):
    (tmp_path / "d.jsonl").write_text("{}\n")
    monkeypatch.setitem(ADAPTERS.things, "mine", Adapter("mine", "s", read))
    with pytest.raises(InputError, match=words):
        load_task(TaskSpec(name="t", file=str(tmp_path / "d.jsonl"), adapter="mine", n=2), 0)


@pytest.mark.parametrize(("can", "words"), [(raising, "KeyError"), (lambda spec: None, "expected Capabilities")])
def test_an_engine_that_does_not_say_what_it_can_do(monkeypatch, can, words):
    monkeypatch.setitem(ENGINES.things, "mine", replace(ENGINES["stub"], name="mine", capabilities=can))
    with pytest.raises(InputError, match=words):
        resolve_model(ModelSpec(id="m", engine="mine", source="x"))


def frame(**values):
    from cotfaith.cluster.stats.metrics.lib.frame import SCORE

    row = dict.fromkeys(SCORE) | {"metric": "accuracy_no_cot", "value": 0.5} | values
    return pl.DataFrame([row], schema_overrides={"value": pl.Float64, "method": pl.String})


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "hold a NoneType"),
        (frame().lazy(), "hold a LazyFrame"),
        (frame().drop("per"), "hold a frame without per"),
        (pl.concat([frame(), frame(metric="other")]), "several metrics or methods in one frame"),
        (frame(value=float("nan")), "a score of nan. A score is a finite number"),
        (frame(value=float("inf")), "a score of inf. A score is a finite number"),
    ],
)
def test_what_is_no_frame_of_scores(monkeypatch, made, words):
    monkeypatch.setitem(METRICS, "no_cot", replace(METRICS["no_cot"], scores=lambda rows: [made]))
    monkeypatch.setitem(METRICS, None, replace(METRICS[None], scores=lambda rows: []))
    empty = pl.DataFrame()
    with pytest.raises(InputError, match=words):
        list(all_scores(Rows(empty, empty, pl.DataFrame({"probe": ["no_cot"]}))))


@pytest.mark.parametrize("spec", [None, 5, [], b"x"])
def test_a_spec_of_another_type(spec):
    with pytest.raises(InputError, match="expected a RunSpec, a mapping or the path"):
        cotfaith.run(spec)
