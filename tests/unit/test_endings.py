"""What a run says of what went wrong, and what to do about it."""

import re

import pytest
from estimate_rows import estimate
from run_records import commit, run_record
from runs_here import without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.report.endings import ADVICE, endings, proposed
from cotfaith.cluster.storage.ledger import ledger_of
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status


def said(commits, estimates=(), **more):
    return endings(run_record(max_tokens=96, **more), ledger_of(commits), estimates)


@pytest.mark.parametrize(("limit", "next_one"), [(1, 2), (64, 128), (96, 256), (128, 256), (160, 512), (4000, 8192)])
def test_the_limit_to_try_is_a_power_of_two_and_at_least_twice_as_long(limit, next_one):
    assert proposed(limit) == next_one


def test_chains_that_the_limit_cut():
    (line,) = said([commit(statuses={"ok": [0, 1], "truncated": [2, 1]}, cut=["i0", "i1"])])
    assert line == (
        "3 of 4 chains were cut at 96 tokens: set sampling.max_tokens to 256 and run again; only those are computed "
        "again."
    )


def test_forced_chains_count_too():
    (line,) = said([commit(statuses={"ok": [1, 1]}, cut=["i1"])])
    assert line.startswith("1 of 2 items have a chain that was cut at 96 tokens and made to answer: set ")
    assert "max_tokens to 256" in line


def test_nothing_is_said_of_a_run_without_failures():
    assert said([commit(statuses={"ok": [1, 1]})], [estimate("accuracy_cot")]) == []
    assert said([]) == []


def test_every_status_has_its_sentence():
    assert {*ADVICE, Status.OK, Status.TRUNCATED} == set(Status)
    for status in ADVICE:
        (line,) = said([commit(statuses={"ok": [3, 3], status.value: [1, 0]})])
        assert line == f"1 of 7 chains {ADVICE[status]}."


def test_the_place_with_the_most_is_named_if_there_are_several():
    commits = [
        commit(statuses={"ok": [1, 0], "unparsed": [0, 1]}),
        commit(model="n", statuses={"unparsed": [1, 1]}),
    ]
    (line,) = said(commits, models=("m", "n"))
    assert line.startswith("3 of 4 chains lead to no answer")
    assert line.endswith("(most: n on t, 2).")


def test_a_probes_rows_on_such_chains_are_not_said_twice():
    commits = [
        commit(statuses={"ok": [1, 0], "unparsed": [0, 1]}),
        commit(generation=1, probe="p", statuses={"ok": [1, 0], "unparsed": [0, 1], "edit_failed": [2, 0]}),
    ]
    first, second = said(commits, probes=("p",))
    assert first.startswith("1 of 2 chains lead to no answer")
    assert second.startswith("2 of 4 rows of probes had nothing that the editor could change")


def test_weak_figures_have_theirs():
    rows = [estimate("accuracy_cot", n_ok=4, n_total=20, value=0.0), estimate("accuracy_cot", method="paired", value=0)]
    few, wrong = said([], rows)
    assert few.endswith("not be typical: m on t (4 of 20 chains). See to the others first.")
    assert wrong.startswith("Hardly any answer is right: m on t (0%). Check that answers are read as meant")


def test_a_grid_has_a_sentence_and_not_one_for_each_cell():
    rows = [estimate("accuracy_cot", task=f"t{i:02}", n_ok=i, n_total=90, value=0.0) for i in range(1, 31)]
    few, wrong = said([], rows)
    assert "m on t01 (1 of 90 chains), m on t02 (2 of 90 chains), m on t03 (3 of 90 chains) and 27 more." in few
    assert "m on t03 (0%) and 27 more." in wrong


@pytest.mark.parametrize(
    ("strategy", "limit"), [("cot", 40), ("cot_decomposition", 40), ("factored_decomposition", 150)]
)
def test_a_longer_limit_computes_only_cut_chains_again_and_they_go_on(tmp_path, monkeypatch, strategy, limit):
    """The sentence's promise, on the stub engine: texts, not only their number."""
    without_ray(monkeypatch)

    def chains(limit):
        execute(
            parse_spec(
                {
                    "models": [{"id": "m", "engine": "stub"}],
                    "tasks": [{"name": "t", "generator": "addition", "n": 12}],
                    "sampling": {"max_tokens": limit, "chains_per_item": 2},
                    "strategies": [strategy],
                    "output": {"path": str(tmp_path / "run")},
                }
            )
        )
        rows = read_tables(LocalStore(tmp_path / "run"))["chains"].to_dicts()
        return {(row["item_id"], row["chain_index"]): row for row in rows}

    short, longer = chains(limit), chains(proposed(limit))
    cut = {key for key, row in short.items() if row["status"] == "truncated"}
    assert 4 < len(cut) < len(short)
    for key, row in short.items():
        assert longer[key]["text"].startswith(row["text"])
        assert (longer[key]["text"] != row["text"]) == (key in cut)
        assert longer[key]["seed"] == row["seed"]


def test_run_and_report_say_them(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    (tmp_path / "s.yaml").write_text(
        "models: [{id: m, engine: stub}]\ntasks: [{name: t, generator: addition, n: 6}]\n"
        "sampling: {max_tokens: 40}\noutput: {path: run, max_failed_share: 1}\n"
    )
    code, out, _ = cli("run", "s.yaml")
    assert code == 0
    (count,) = re.findall(
        r"(\d+) of 6 chains were cut at 40 tokens: set sampling.max_tokens to 128 and run again", " ".join(out.split())
    )
    assert f"<li>{count} of 6 chains were cut at 40 tokens" in (tmp_path / "run" / "report.html").read_text()
