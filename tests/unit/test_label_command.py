"""``cotfaith label`` on a run of stubs: what is drawn from, what is shown, and what each key does."""

import io
import json
import os
import pty
import re
import select
import signal
import sys
import time

import polars as pl
import pytest
from commands import line
from runs_here import copy_of, finish
from texts_to_label import SPEC

from cotfaith.cluster.labelling.population import hash_of, read_population
from cotfaith.cluster.labelling.read import labels_in, read_labels
from cotfaith.cluster.labelling.sheet import read_sheet
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import open_store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("labels"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    return copy_of(finished, tmp_path, monkeypatch)


@pytest.fixture
def store(run):
    return open_store(str(run))


@pytest.fixture
def label(cli, run, monkeypatch):
    """A function that labels with these keys, a line each, and returns (code, what was printed, errors)."""

    def do(keys="", *options, by="anna"):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
        return cli("label", "run", *(["--labeller", by] if by else []), *options)

    return do


def population(store):
    run = load_run(store)
    return read_population(store, run, read_ledger(store, run))


def by_hand(store):
    """Return (hash, hint) of the texts that switched, and of all that can be labelled, from the rows one by one."""
    rows = read_tables(store)["chains"].to_dicts()
    plain = [row for row in rows if row["variant"] == "plain"]
    switched, every = set(), set()
    for row in rows:
        if row["target"] is None or row["status"] != "ok":
            continue
        text = hash_of(row["text"]), row["intervention"]
        every.add(text)
        same = [one for one in plain if all(one[name] == row[name] for name in ("model", "task", "item_id"))]
        moved = any(one["status"] == "ok" and one["answer"] != row["target"] for one in same)
        if row["answer"] == row["target"] and moved:
            switched.add(text)
    return switched, every


def test_the_population_is_the_chains_of_the_rate(store):
    switched, every = by_hand(store)
    units = population(store).units
    assert {tuple(key) for key in units} == every
    assert {tuple(key) for key, one in units.items() if any(s.switched for s in one.strata)} == switched
    assert 10 < len(switched) < len(every)


def test_keys_give_labels_and_each_is_put_at_once(label, store):
    code, out, _ = label(["y", "n", "?", "s", "Y"])
    assert code == 0
    assert read_labels(store).sort("at")["label"].to_list().count(True) == 2
    found = labels_in(store)
    assert sorted((one.label is None, one.skipped) for one in found) == [(False, False)] * 3 + [
        (True, False),
        (True, True),
    ]
    assert {one.labeller for one in found} == {"anna"}
    switched, _ = by_hand(store)
    assert {(one.text_hash, one.hint_asked) for one in found} <= switched
    assert "Saved: 2 yes, 1 no, 1 cannot tell by anna (present)." in out
    assert f"{len(switched) - 4} texts to go. The same command goes on." in out


def test_undo_an_unknown_key_and_stop(label, store):
    _, out, _ = label(["u", "x", "y", "u", "n", "q", "y"])
    assert "Nothing to undo in this session." in out
    assert "This key does nothing here." in out
    assert [one.label for one in labels_in(store)] == [False]
    _, out, _ = label([])
    assert "1 labelled" in out
    assert "Saved: no labels by anna (present)." in out


def test_when_all_is_labelled_it_says_so(label, store):
    _, out, _ = label(["n"] * 30, "--variant", "hint_metadata.wrong")
    assert re.search(r"Saved: \d+ no by anna \(present\)\.", out)
    assert "All of these texts have labels." in out
    assert read_labels(store)["probability"].unique().to_list() == [1.0]


def test_the_minutes_that_are_left_are_estimated_after_three_labels(label):
    _, out, _ = label(["n", "n", "n"])
    heads = [line for line in out.splitlines() if "to go · about" in line or line.endswith("to go")]
    assert [head.partition(" to go")[2] for head in heads] == ["", "", "", " · about 1 min"]


def test_what_is_shown_is_blind(label, store):
    _, out, _ = label(["s"] * 10)
    assert "hint" in out
    for row in read_tables(store)["chains"].filter(pl.col("target").is_not_null()).to_dicts():
        assert row["variant"] not in out
    assert not re.search(r"^(a|b)\b|\bmodel\b|rules|stub|answer: ", out, re.MULTILINE)


def test_filters_narrow_what_is_drawn_from(label, store):
    label(["n"] * 30, "--model", "a", "--variant", "hint_metadata.wrong")
    places = [place for one in labels_in(store) for place in one.drawn]
    assert {(place.model, place.variant) for place in places if place.switched} >= {("a", "hint_metadata.wrong")}
    assert all(any(place.model == "a" and place.switched for place in one.drawn) for one in labels_in(store))
    own = [one for one in population(store).units.values() if any(s.model == "a" for s in one.strata)]
    _, out, _ = label([], "--task", "tracking", "--model", "a", "--all", by="bob")
    assert f"0 labelled · {len(own)} to go" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "c"], "--model: Unknown model 'c'. Known: a, b."),
        (["--variant", "hint_metadata"], "Did you mean 'hint_metadata.wrong'?"),
        (["--channel", "body"], "--channel: Unknown channel 'body'. Known: none."),
        (["--question", "named"], "--question: Unknown question 'named'."),
        (["--order", "alphabet"], "--order: Unknown order 'alphabet'."),
        (["--order", "disagreement"], "readers of 'present' in this run: rules; expected two"),
        (["--labeller", "a/b"], "--labeller: got 'a/b', expected letters"),
        (["--labeller", "_draws"], "--labeller: got '_draws', expected letters"),
        (["--status", "--import", "x.csv"], "--status, --import and --export are three commands"),
        (["--status", "--all"], "choose what is shown"),
        (["--json"], "--json prints what --status counts"),
        (["--import", "x.csv"], "--import: set --labeller NAME"),
    ],
)
def test_wrong_options_are_refused(label, store, options, message):
    code, _, err = label(["y"], *options, by=None)
    assert code == 2
    assert message in " ".join(err.split())
    assert labels_in(store) == []


def test_a_login_name_that_is_no_name_is_refused(label, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "DOMAIN\\anna")
    code, _, err = label(["y"], by=None)
    assert (code, "the login name is" in err, "Set --labeller NAME" in " ".join(err.split())) == (2, True, True)
    monkeypatch.setattr("getpass.getuser", lambda: "anna.b")
    assert label([], by=None)[0] == 0


def test_a_run_without_variants_has_nothing_to_label(cli, tmp_path):
    finish(tmp_path, SPEC | {"interventions": [], "probes": []})
    code, _, err = cli("label", tmp_path / "run", "--labeller", "anna")
    assert code == 2
    assert "no answered chain with a text under a variant with a target" in " ".join(err.split())


def test_no_run_there(cli, tmp_path):
    code, _, err = cli("label", tmp_path / "none")
    assert (code, "there is no run here" in err) == (2, True)


def test_texts_on_which_rules_and_a_judge_differ_come_first(cli, tmp_path, monkeypatch):
    judge = {"id": "j", "engine": "stub", "roles": ["judge"], "options": {"can_score": False, "replies": {":$": " no"}}}
    changes = {"models": [*SPEC["models"], judge], "probes": ["verbalises", "judged"]}
    store = open_store(str(finish(tmp_path, SPEC | changes) / "run"))
    monkeypatch.chdir(tmp_path)
    read = read_tables(store)["observations"].filter(question="present", reader="rules")
    differ = set(read.filter("label").select("text_hash", "intervention").rows()) & by_hand(store)[0]
    assert 1 < len(differ) < len(by_hand(store)[0]) - 2
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * len(differ) + "n\nn\n"))
    assert cli("label", "run", "--labeller", "anna", "--order", "disagreement")[0] == 0
    rows = read_labels(store)
    assert set(rows.filter("label").select("text_hash", "hint_asked").rows()) == differ
    assert rows.filter("label")["probability"].to_list() == [1.0] * len(differ)
    assert len(rows) == len(differ) + 2
    assert rows["order"].unique().to_list() == ["disagreement"]
    strata = json.loads(cli("label", "run", "--status", "--json")[1])["strata"]
    assert {one["differ"] for one in strata} == {True, False}
    assert "readers differ" in " ".join(cli("label", "run", "--status")[1].split())


def test_status_counts(label, cli):
    assert "No labels yet." in cli("label", "run", "--status")[1]
    label(["y", "n", "?", "s"])
    label(["y", "y", "n"], by="bob")
    label(["y"], "--question", "relied", by="bob")
    code, out, err = cli("label", "run", "--status", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    counts = ("yes", "no", "cannot_tell", "skipped", "from_file")
    lines = [(one["labeller"], one["question"], *(one[name] for name in counts)) for one in found["labellers"]]
    assert lines == [
        ("anna", "present", 1, 1, 1, 1, 0),
        ("bob", "present", 2, 1, 0, 0, 0),
        ("bob", "relied", 1, 0, 0, 0, 0),
    ]
    assert found["agreement"] == [{"question": "present", "labellers": ["anna", "bob"], "both": 2, "same": 1}]
    strata = [one for one in found["strata"] if one["labeller"] == "anna" and one["switched"]]
    assert sum(one["drawn"] for one in strata) >= 4
    assert all(0 < one["drawn"] <= one["texts"] for one in strata)
    out = cli("label", "run", "--status")[1]
    assert "anna and bob  present      2     1" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_sheet_has_what_the_prompt_added(store):
    run, found = load_run(store), population(store)
    tables, ledger = read_tables(store), read_ledger(store, run)
    for unit in list(found.units.values())[::8]:
        sheet = read_sheet(store, run.run_id, ledger, unit)
        row = tables["chains"].filter(model=unit.place.model, item_id=unit.place.item_id, variant=unit.place.variant)
        assert hash_of(sheet.text) == unit.key.text_hash
        target = row["target"][0]
        assert f"({target}) " in sheet.hint
        assert "{" not in sheet.hint
        assert any(target in added for added in sheet.added)
        assert sheet.question not in "\n".join(sheet.added)
        assert all("Let's think" not in added for added in sheet.added)


def screens(fd, until, wait=20):
    """Read what a process prints until a text is there."""
    got, end = "", time.monotonic() + wait
    while until not in got and time.monotonic() < end and select.select([fd], [], [], 1)[0] is not None:
        if select.select([fd], [], [], 1)[0]:
            got += os.read(fd, 65536).decode(errors="replace")
    assert until in got, got
    return got


def test_single_keys_on_a_real_terminal_and_ctrl_c(run, store):
    """A process on a terminal of its own: two seconds, most of them its imports."""
    pid, fd = pty.fork()
    if pid == 0:  # pragma: no cover
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        environment = os.environ | {
            "TERM": "xterm",
            "COLUMNS": "50",
            "LINES": "24",
            "PYTHONPATH": ":".join(sys.path),
        }
        command = line("label", run, "--labeller", "anna")
        os.execve(command[0], command, environment)
    try:
        first = screens(fd, "q stop")
        assert "0 labelled" in first
        os.write(fd, b"yyy")  # pasted: only the first counts
        assert "1 labelled" in screens(fd, "q stop")
        os.write(fd, b"\x1b[C")  # an arrow
        screens(fd, "This key does nothing here.")
        os.write(fd, b"n")
        assert "2 labelled" in screens(fd, "q stop")
        assert [one.label for one in sorted(labels_in(store), key=lambda one: one.label)] == [False, True]
        os.write(fd, b"\x03")
        assert "Finished work is kept" in screens(fd, "kept")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(fd)
    assert len(labels_in(store)) == 2
