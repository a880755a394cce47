"""`show`: a list of a run's items, one item on a screen, and which of the run's objects are read for it."""

import io
import json
import re

import polars as pl
import pyarrow as pa
import pytest
from old_runs import make_old
from rich.console import Console
from runs_here import copy_of, finish

from cotfaith.cluster.cli.arm_words import arm_words
from cotfaith.cluster.cli.item import Shown, print_item
from cotfaith.cluster.cli.items import short_names
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

PROBES = ["no_cot", "early_answering", "filler_tokens", "adding_mistakes", "paraphrasing", "step_deletion"]
SPEC = {
    "models": [{"id": "reader", "engine": "stub"}, {"id": "o", "engine": "stub", "options": {"relies_on": "question"}}],
    "tasks": [{"name": "addition", "generator": "addition", "n": 5}, {"name": "u", "generator": "addition", "n": 1}],
    "probes": PROBES,
    "editor": {"by": "rules"},
    "resources": {"shard_size": 2},
    "output": {"path": "run", "max_failed_share": 1.0},
}
KEY = {"schema_version": 5, "run_id": "r", "model": "m", "task": "t", "item_id": "i0"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("shown"), SPEC)


@pytest.fixture
def shown(finished, cli, monkeypatch):
    """A function that runs ``show``: its lines on stdout. Nothing is wider than 80 columns or cut."""
    monkeypatch.chdir(finished)

    def run(*arguments):
        code, out, err = cli("show", "run", *arguments)
        assert (code, err) == (0, "")
        assert "…" not in out
        assert "--json" in arguments or max(map(len, out.splitlines())) <= 80
        return out.splitlines()

    return run


@pytest.fixture(scope="module")
def rows(finished):
    return read_tables(LocalStore(finished / "run"))


def listed(lines):
    """The ids in the first column of a list."""
    return [line.split()[0] for line in lines if line.startswith(("addition-", "u-"))]


class TestList:
    def test_a_line_an_item(self, shown, rows):
        lines = shown("--model", "reader", "--task", "addition")
        assert listed(lines) == [f"addition-{at:06}" for at in range(5)]
        for row in rows["chains"].filter(model="reader", task="addition").to_dicts():
            (line,) = [line for line in lines if line.startswith(row["item_id"])]
            gold = rows["items"].filter(item_id=row["item_id"], model="reader")["gold"][0]
            assert line.split()[1:4] == [gold, row["answer"], "right" if row["correct"] else "wrong"]

    def test_changed_names_the_probes(self, shown, rows):
        changed = rows["observations"].filter(pl.col("same_answer").not_(), model="reader", task="addition")
        want = changed.group_by("item_id").agg(pl.col("probe").unique().sort()).sort("item_id")
        printed = shown("--model", "reader", "--task", "addition", "--changed")
        lines = {line.split()[0]: line for line in printed if line}
        assert sorted(set(lines) & set(rows["items"]["item_id"])) == want["item_id"].to_list() != []
        for item, probes in want.iter_rows():
            for probe in PROBES:
                assert (f" {short_names(PROBES)[probe]}" in lines[item]) == (probe in probes)

    @pytest.mark.parametrize(("option", "correct"), [("--right", True), ("--wrong", False)])
    def test_right_and_wrong(self, shown, rows, option, correct):
        want = rows["chains"].filter(pl.col("correct") == correct, model="o")
        data = json.loads("\n".join(shown(option, "--model", "o", "--json")))
        assert [one["item_id"] for one in data["items"]] == want["item_id"].to_list()

    def test_a_status_that_no_row_has_reads_no_part(self, shown, finished, monkeypatch):
        read = reads(monkeypatch)
        assert shown("--status", "truncated") == ["No item is like that."]
        assert not [key for key in read if key.startswith("_parts/")]

    def test_a_limit_reads_only_the_shards_that_it_needs(self, shown, monkeypatch):
        read = reads(monkeypatch)
        lines = shown("--model", "reader", "--task", "addition", "--limit", "1")
        assert listed(lines) == ["addition-000000"]
        assert any(line.startswith("There are more: --limit 10") for line in lines)
        shards = {key.rpartition("/")[0] for key in read if key.startswith("_parts/")}
        assert shards == {"_parts/reader/addition/0000000-0000002"}
        assert not [key for key in read if key.startswith(("_commits/o/", "_commits/reader/u/"))]

    @pytest.mark.parametrize(
        ("option", "value", "words"),
        [
            ("--model", "readr", "Did you mean 'reader'"),
            ("--task", "v", "Unknown task 'v'"),
            ("--probe", "early_answerin", "Did you mean 'early_answering'"),
            ("--strategy", "x", "Known: cot."),
            ("--status", "trunkated", "Did you mean 'truncated'"),
        ],
    )
    def test_a_name_that_is_none(self, finished, cli, monkeypatch, option, value, words):
        monkeypatch.chdir(finished)
        code, out, err = cli("show", "run", option, value)
        assert (code, out) == (2, "")
        assert f"{option}: Unknown" in err
        assert words in err

    def test_names_are_shortened_as_far_as_they_differ(self):
        assert short_names(["early_answering", "adding_mistakes", "no_cot"]) == {
            "early_answering": "early",
            "adding_mistakes": "adding",
            "no_cot": "no_cot",
        }
        assert short_names(["step_a", "step_b", "step"]) == {"step_a": "step_a", "step_b": "step_b", "step": "step"}


class TestItem:
    def test_it_fits_a_screen_and_says_what_arms_did(self, shown):
        lines = shown("addition-000001", "--model", "reader")
        assert 10 <= len(lines) <= 40
        text = "\n".join(lines)
        assert "early_answering · " in text
        assert "truncated after 1 of 5 steps" in text
        assert "step 2 made wrong" in text
        assert "Step 2 gives 20. -> Step 2 gives 30." in text
        assert "the same answer: i=1, i=3" in text
        assert 'filler, 10 times " ..."' in text
        assert "no chain of thought" in text
        assert "step 1 left out" in text
        assert "with other words in steps 1 to 2" in text

    def test_a_probe_is_shown_in_full(self, shown, rows):
        lines = shown("addition-000001", "--model", "reader", "--probe", "early_answering")
        arms = rows["observations"].filter(probe="early_answering", model="reader", item_id="addition-000001")
        for row in arms.to_dicts():
            (line,) = [line.split() for line in lines if line.startswith(f"  {row['arm']} ")]
            assert line[-2:] == [row["answer"], "same" if row["same_answer"] else "changed"]
        assert not [line for line in lines if "no_cot" in line or "the same answer" in line]

    def test_several_models_are_a_line_each(self, shown):
        lines = shown("addition-000001")
        assert [line.split()[0] for line in lines if line.startswith(("reader ", "o "))] == ["o", "reader"]
        assert lines[-1].startswith("One chain and its arms: --model")
        full = "\n".join(shown("addition-000001", "--full"))
        assert full.count(" · chain 0 · ") == 2

    def test_the_prompt_is_as_it_was_sent(self, shown, rows):
        prompt = rows["chains"].filter(model="reader", item_id="addition-000001")["prompt"][0]
        assert prompt in "\n".join(shown("addition-000001", "--model", "reader", "--prompt"))

    def test_only_its_shards_are_read(self, shown, monkeypatch):
        read = reads(monkeypatch)
        shown("addition-000002", "--model", "o")
        shards = {key.rpartition("/")[0] for key in read if key.startswith("_parts/")}
        assert shards == {"_parts/o/addition/0000002-0000004"}

    def test_json_has_the_rows(self, shown, rows):
        data = json.loads("\n".join(shown("addition-000001", "--model", "reader", "--json")))
        here = {"item_id": "addition-000001", "model": "reader"}
        assert data["observations"] == rows["observations"].filter(**here).to_dicts()
        assert data["chains"] == rows["chains"].filter(**here).to_dicts()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--full"], "show one item"),
            (["--chain", "0"], "show one item"),
            (["addition-000001", "--changed"], "choose among items"),
            (["addition-000001", "--status", "ok"], "choose among items"),
            (["addition-000001", "--model", "o", "--chain", "3"], "It has: 0."),
        ],
    )
    def test_an_option_that_would_do_nothing_is_refused(self, finished, cli, monkeypatch, arguments, words):
        monkeypatch.chdir(finished)
        code, _, err = cli("show", "run", *arguments)
        assert code == 2
        assert words in err

    def test_a_model_that_is_named_twice_counts_once(self, shown):
        assert shown("--model", "o", "--model", "o") == shown("--model", "o")

    def test_the_nearest_ids_are_named(self, finished, cli, monkeypatch):
        monkeypatch.chdir(finished)
        code, out, err = cli("show", "run", "addition-00001")
        assert (code, out) == (2, "")
        assert "Nearest: addition-000001" in err

    def test_old_runs_are_read(self, finished, tmp_path, cli, monkeypatch):
        run = copy_of(finished, tmp_path, monkeypatch)
        make_old(run, 4)
        code, out, _ = cli("show", "run", "addition-000001", "--model", "reader")
        assert code == 0
        assert "step 2 made wrong" in out
        assert listed(cli("show", "run", "--task", "u", "--model", "o")[1].splitlines()) in ([], ["u-000000"])


def reads(monkeypatch):
    """The keys of the objects that are read from here on."""
    found, get, get_many = [], LocalStore.get, LocalStore.get_many

    def read(self, key):
        found.append(key)
        return get(self, key)

    def read_many(self, keys):
        keys = list(keys)
        found.extend(keys)
        return get_many(self, keys)

    monkeypatch.setattr(LocalStore, "get", read)
    monkeypatch.setattr(LocalStore, "get_many", read_many)
    return found


def frame(schema, *given):
    found = [dict.fromkeys(schema.names) | KEY | one for one in given]
    made = pl.from_arrow(pa.Table.from_pylist(found, schema=schema))
    assert isinstance(made, pl.DataFrame)
    return made


def made(n_steps=30, evil="", arms=(), **chain):
    """Tables of one item with one chain."""
    steps = [f"Step {at} {evil}.\n" for at in range(n_steps)]
    item = {"question": f"Q? {evil}", "choices": ["x", f"y {evil}"], "answer_format": "choice", "gold": "A"}
    one = {"chain_index": 0, "strategy": "cot", "variant": "plain", "steps": steps, "n_steps": n_steps}
    one |= {"step_unit": "line", "n_tokens": 9, "status": "ok", "answer_status": "ok", "answer": "B", "correct": False}
    common = {"chain_index": 0, "strategy": "cot", "variant": "plain", "status": "ok", "probe": "early_answering"}
    rows = [
        common | {"arm": f"k={at}", "position": float(at), "answer": "B", "same_answer": True} | arm
        for at, arm in enumerate(arms)
    ]
    return {
        "items": frame(ITEMS, item),
        "chains": frame(CHAINS, one | chain),
        "observations": frame(OBSERVATIONS, *rows),
    }


def printed(tables, **how):
    console = Console(record=True, width=80, file=io.StringIO())
    print_item(tables, known_words(), console, Shown(**how))
    return console.export_text()


def test_a_long_chain_is_folded():
    text = printed(made(30))
    assert "  3  Step 2 ." in text
    assert "... 25 more steps, --full" in text
    assert " 29  Step 28 ." in text
    assert len(text.splitlines()) < 20
    full = printed(made(30), full=True)
    assert all(f"Step {at} ." in full for at in range(30))
    assert "6  Step 5 ." in printed(made(6))  # folding it would save nothing


def test_hostile_texts_are_marked_and_not_interpreted():
    evil = "[red]x[/] \x1b[31m \u202eCBA \u200b"
    text = printed(made(2, evil, [{"answer": evil, "same_answer": False, "arm": f"k {evil}"}], error=evil), full=True)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("[red]x[/]") >= 6
    assert text.count("⟨U+202E⟩") == text.count("[red]x[/]")


def test_equal_arms_are_one_line_and_failed_ones_are_told():
    failed = {"answer": None, "same_answer": None, "status": "truncated"}
    arms = [{}, {}, {"answer": "A", "same_answer": False, "p_gold": 0.25}, failed, {}]
    text = printed(made(4, arms=arms))
    assert "early_answering · 5 arms, 1 changed the answer, 1 not ok" in text
    assert "k=2  truncated after 2 of 4 steps  A          changed  p(gold) 0.250" in text
    assert "k=3  truncated after 3 of 4 steps  truncated  -" in text
    assert "the same answer: k=0 to k=1, k=4" in text


def test_an_arm_on_the_item_is_compared_with_the_chain_that_is_shown():
    arm = {"chain_index": None, "same_answer": None, "probe": "no_cot"}
    text = printed(made(2, arms=[arm | {"answer": "A", "arm": "no_cot"}]))
    assert "no_cot · 1 arm, 1 with another answer" in text
    assert re.search(r"no_cot  no chain of thought  A  other", text)
    assert "the same answer: no_cot" in printed(made(2, arms=[arm | {"answer": "B", "arm": "no_cot"}]))


def test_an_arm_of_an_unknown_probe_has_its_own_name():
    row = {"probe": "mine", "arm": "a", "step": None, "answer": "B", "status": "ok"}
    assert arm_words({"steps": []}, row, {}).what == ""


def test_the_same_id_in_many_tasks_and_models_fits_a_screen():
    tables = made(2)
    names = [{"task": f"t{at}", "model": f"m{at % 9}"} for at in range(90)]
    tables |= {
        name: pl.concat([tables[name].with_columns(**{k: pl.lit(v) for k, v in one.items()}) for one in names])
        for name in ("items", "chains")
    }
    lines = printed(tables).splitlines()
    assert len(lines) < 40
    assert "... and" in lines[-2]


def test_a_failed_chain_without_steps_is_shown():
    text = printed(made(0, status="context_overflow", answer=None, correct=None, error="too long"))
    assert "m · chain 0 · context_overflow · 0 steps" in text
    assert "too long" in text
