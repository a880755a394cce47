"""``cotfaith status`` on a run that works, that has ended, whose driver is dead; and --watch, without a wait."""

import json
import os
import re

import pytest
from commands import in_process
from run_records import run_record

from cotfaith.cluster.cli import status_read, status_watch
from cotfaith.cluster.fleet.lease import LeaseHolder
from cotfaith.cluster.fleet.process import this_process
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.live_status import LiveStatus, ModelStatus, RunningJob

EVIL = "[red]far\x1b[31m"


def model(name, **figures):
    known = {"done": 1_234, "running": 8, "waiting": 56_789, "tokens_per_s": 98_765.4, "distinct_tokens_per_s": 4_321.0}
    return ModelStatus(model=name, stage="shards", **known | {"busy_share": 0.93, "engines_up": 4} | figures)


def live(process=None, **figures):
    known = {
        "run_id": "r",
        "process": process or this_process(),
        "began": "2026-01-02T03:04:05+00:00",
        "written": "2026-01-02T04:04:05+00:00",
        "counter": 360,
        "state": "running",
        "message": EVIL,
        "resume": "cotfaith run spec.yaml",
        "phase": "probes",
        "share": 0.25,
        "requests_done": 1000,
        "requests": 4000,
        "eta_s": 3723.0,
        "elapsed_s": 3600.0,
        "engine_hours": 4.0,
        "cost": 12.5,
        "currency": "USD",
        "models": [
            model("subject-of-a-long-name-70b", engines_asked=8, failed=3, preempted=12, quarantined=1),
            model("small", distinct_tokens_per_s=None, engines_asked=4, busy_share=None),
        ],
        "oldest": [RunningJob(job="small/t/0000000-0000016", engine="small#1", seconds=200.0)],
    }
    return LiveStatus(**known | figures)


@pytest.fixture
def store(tmp_path):
    made = LocalStore(tmp_path / "run")
    made.put(keys.RUN, run_record(n=4, size=2).as_json())
    return made


def hold(store, process=None):
    holder = LeaseHolder(store)
    holder.process = process or this_process()
    holder.take(print, take_over=True)
    return holder


def ended():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return this_process().model_copy(update={"pid": pid})


def shown(store, *options, width=80):
    done = in_process("status", store.root, *options, width=width)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_run_that_works_fits_the_terminal(store, width):
    hold(store)
    store.put(keys.STATUS, live().as_json())
    text = shown(store, width=width)
    assert max(map(len, text.splitlines())) <= width
    flat = re.sub(r"\s+", " ", text)
    assert "A driver works on it: process" in flat
    assert "probing." in flat
    assert "25% done, 1,000 of about 4,000 requests, 1:00:00 so far, ETA 1:02:03" in flat
    assert (
        "Jobs: 2,468 done, 16 running, 113,578 waiting; attempts: 3 failed, 12 preempted; 1 items quarantined" in flat
    )
    assert "Engines: 8 of 12 up, busy 93%, 197,531 tokens/s, 4,321 distinct/s, 4 engine-hours, 12.50 USD" in flat
    assert "Oldest: small/t/0000000-0000016 on small#1, 3 min" in flat
    assert "0 of 2 shards are done" in flat
    assert "[red]far⟨U+001B⟩[31m" in flat
    assert "…" not in text
    row = next(line for line in text.splitlines() if line.startswith("small "))
    assert row.split()[:5] == ["small", "shards", "1,234", "8", "56,789"]
    wide = ["0", "0", "0", "98,765", "-", "-", "4/4"]
    assert row.split()[5:] == {60: ["-"], 80: ["98,765", "-", "4/4", "-"], 120: wide}[width]


def test_a_driver_that_is_dead_is_said_to_be_with_the_line_that_resumes(store):
    process = ended()
    hold(store, process)
    store.put(keys.STATUS, live(process).as_json())
    text = re.sub(r"\s+", " ", shown(store))
    assert f"Its driver is dead: process {process.pid} on " in text
    assert "last heard of at 2026-01-02T04:04:05+00:00. To go on: cotfaith run spec.yaml" in text
    data = json.loads(shown(store, "--json"))
    assert (data["driver"]["verdict"], data["driver"]["works"], data["driver"]["pid"]) == ("dead", False, process.pid)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("done", "The last one did all it had to do at 2026-01-02T04:04:05+00:00."),
        ("failed", "The last one failed at 2026-01-02T04:04:05+00:00: out of memory. To go on: cotfaith run spec.yaml"),
        ("running", "The last one ended without a word; it was last heard of at 2026-01-02T04:04:05+00:00."),
    ],
)
def test_how_the_last_driver_ended(store, state, said):
    store.put(keys.STATUS, live(state=state, message="out of memory").as_json())
    text = re.sub(r"\s+", " ", shown(store))
    assert f"No driver works on it. {said}" in text
    assert "ETA" not in text


def test_runs_without_a_status_are_shown_as_before(store):
    assert "No driver works on it.\n" in shown(store)
    hold(store)
    assert re.search(r"A driver works on it: process \d+ on ", shown(store))
    store.put(keys.STATUS, b"{")
    assert json.loads(shown(store, "--json"))["live"] is None


def test_json_has_all_of_the_status_and_its_sums(store):
    hold(store)
    store.put(keys.STATUS, live().as_json())
    data = json.loads(shown(store, "--json"))
    assert data["driver"]["verdict"] == "works"
    assert {name: data["live"][name] for name in ("counter", "eta_s", "cost", "state")} == {
        "counter": 360, "eta_s": 3723.0, "cost": 12.5, "state": "running"
    }  # fmt: skip
    assert data["live"]["models"][1]["distinct_tokens_per_s"] is None
    sums = data["live"]["all"]
    assert (sums["done"], sums["failed"], sums["engines_up"], sums["engines_asked"]) == (2468, 3, 8, 12)
    assert (sums["tokens_per_s"], sums["busy_share"]) == (197_530.8, 0.93)


@pytest.fixture
def steps(monkeypatch):
    """What happens while --watch sleeps: one step each time; then the test fails."""
    left = []
    monkeypatch.setattr(status_watch.time, "sleep", lambda _: left.pop(0)())
    return left


def test_watch_in_a_pipe_prints_a_block_each_time_until_the_driver_ends(store, steps, monkeypatch):
    holder = hold(store)
    store.put(keys.STATUS, live().as_json())
    monkeypatch.setattr(status_watch, "SHARE", 1e-9)  # the commits are not due again
    reads = []
    monkeypatch.setattr(status_watch, "read_committed", lambda *a: reads.append(1) or status_read.read_committed(*a))
    steps += [lambda: store.put(keys.STATUS, live(counter=361, share=0.5).as_json()), holder.release]
    text = shown(store, "--watch")
    assert "\x1b" not in text
    assert [line.split()[0] for line in text.splitlines() if " done, " in line and "requests" in line] == ["25%", "50%"]
    assert text.count("0 of 2 shards are done\n") == 3
    assert len(reads) == 2  # at first, and at the end
    assert "model  task" in text.split("No driver works on it.")[1]  # the tables, once it is over


def test_watch_with_json_prints_a_line_each_time_and_goes_on_when_the_store_fails(store, steps, monkeypatch):
    holder = hold(store)
    real = LocalStore.get_tagged

    def fail():
        monkeypatch.setattr(LocalStore, "get_tagged", broken)

    def broken(*_):
        raise StoreError("it is down")

    def back():
        monkeypatch.setattr(LocalStore, "get_tagged", real)
        holder.release()

    steps += [fail, back]
    found = [json.loads(line) for line in shown(store, "--watch", "--json").splitlines()]
    assert [(one["driver"]["verdict"], one["problem"]) for one in found] == [
        ("works", None), ("works", "it is down"), ("nobody", None)
    ]  # fmt: skip


def test_ctrl_c_ends_the_watch_and_is_no_error(store, steps):
    def interrupt():
        raise KeyboardInterrupt

    hold(store)
    steps.append(interrupt)
    assert "A driver works on it" in shown(store, "--watch")


def test_the_live_part_alone_reads_no_commit(store, monkeypatch):
    store.put(keys.STATUS, live().as_json())
    hold(store)
    monkeypatch.setattr(status_read, "read_ledger", lambda *_: pytest.fail("commits were read"))
    text = shown(store, "--live")
    assert "25% done" in text
    assert "shards are done" not in text
    data = json.loads(shown(store, "--live", "--json"))
    assert list(data) == ["run_id", "created", "driver", "live"]
    assert data["live"]["all"]["waiting"] == 2 * 56_789
    done = in_process("status", store.root, "--live", "--watch")
    assert done.returncode == 2
    assert "Give one of" in done.stderr
