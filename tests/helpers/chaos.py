"""A small run on the stub engine that faults can be tried on, and the table of the faults that were.

The run has several of everything whose rows could be lost: models, tasks, strategies, chains, probes of items and of
chains, and readers. Its engines are quick; ``slow`` gives them a wait in each call, which changes no result.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import MAIN, line, write_spec
from process_tree import Tree, running
from run_tables import Comparison, Row, Rows, as_committed, as_read, compare

from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.reporter import NoProgress
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas.spec import parse_spec

MODELS: dict[str, dict[str, Any]] = {"m": {}, "n": {"relies_on": "question"}}
TASKS = {"tracking": ("tracking_objects", 5), "addition": ("addition", 2)}
STRATEGIES = ("cot", "cot_decomposition")
CHAINS_PER_ITEM = 2
N_CHAINS = len(MODELS) * len(STRATEGIES) * CHAINS_PER_ITEM * sum(n for _, n in TASKS.values())


def spec(path: object, seconds_per_call: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Return the run's spec, with its folder or address at ``path``; ``changes`` replace whole sections."""
    wait = {"seconds_per_call": seconds_per_call} if seconds_per_call else {}
    return {
        "models": [{"id": name, "engine": "stub", "options": {**own, **wait}} for name, own in MODELS.items()],
        "tasks": [{"name": name, "generator": generator, "n": n} for name, (generator, n) in TASKS.items()],
        "sampling": {"chains_per_item": CHAINS_PER_ITEM},
        "strategies": list(STRATEGIES),
        "probes": ["no_cot", "early_answering", "filler_tokens", {"name": "transfer", "options": {"readers": ["n"]}}],
        "resources": {"shard_size": 2, "cpus": 1},
        "output": {"path": str(path)},
    } | changes


@dataclass
class Listener(NoProgress):
    """A run's reporter, which is its own progress: keeps the lines that a user would see."""

    lines: list[str] = field(default_factory=list)
    preemptions: int = 0

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)

    warn = say

    def progress(self, forecast: Forecast) -> AbstractContextManager["Listener"]:
        """Follow the jobs of a stage."""
        return nullcontext(self)

    def preempted(self, count: int) -> None:
        """Keep the number of preemptions in this stage."""
        self.preemptions = max(self.preemptions, count)

    def text(self) -> str:
        """Return all lines."""
        return "\n".join(self.lines)


def spec_of_one(path: object, seconds_per_call: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Return the spec of a part of the run: one model, which no other reads. See ``is_of_one``."""
    whole = spec(path, seconds_per_call, **changes)
    return whole | {"models": whole["models"][:1], "probes": ["no_cot", "early_answering", "filler_tokens"]}


def is_of_one(row: Row) -> bool:
    """Return whether a row of the whole run belongs to ``spec_of_one``."""
    return row["model"] == "m" and row.get("probe") != "transfer"


def run(content: dict[str, Any], quarantined: int = 0) -> Listener:
    """Run the spec to its end in this process, on this process's Ray; fail if other than ``quarantined`` were given up.

    Returns what a user would have been told.
    """
    listener = Listener()
    given_up = execute(parse_spec(content), listener)
    assert len(given_up) == quarantined, listener.text()
    return listener


@contextmanager
def started(folder: Path, content: dict[str, Any], *arguments: str, code: str = MAIN, **environment: str):
    """Run the spec as a process with a Ray of its own; nothing of it outlives the context."""
    file = folder / f"spec-{time.monotonic_ns()}.yaml"
    write_spec(folder, content).rename(file)
    with running(
        line("run", file, *arguments, code=code), file.with_suffix(".said"), COLUMNS="200", **environment
    ) as tree:
        yield tree


def to_the_end(folder: Path, content: dict[str, Any], seconds: float = 240, **environment: str) -> tuple[int, str]:
    """Run the spec as a process; return its code and what it printed."""
    with started(folder, content, **environment) as tree:
        return tree.wait(seconds), tree.text()


def n_commits(path: object) -> int:
    """Return how many commits the run at ``path`` has."""
    return sum(key.endswith(".json") for key in open_store(str(path)).list("_commits/"))


def wait_for(condition: Callable[[], object], tree: Tree | None = None, seconds: float = 120) -> None:
    """Wait until ``condition`` holds; fail if ``tree``'s command ends before, or after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert tree is None or tree.runs(), f"it ended too early: {tree.text()[-3000:]}"
        assert time.monotonic() < end, f"nothing happened. {tree.text()[-3000:] if tree else ''}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Reference:
    """The rows of an undisturbed run, by both readers."""

    read: Rows
    committed: Rows

    @classmethod
    def of(cls, store: Store) -> "Reference":
        """Return the rows of a run that is done."""
        found = cls(as_read(store), as_committed(store))
        n_chains = sum(key[0] == "chains" for key in found.read)
        assert n_chains == N_CHAINS, f"the undisturbed run has {n_chains} chains, and the spec asks for {N_CHAINS}"
        return found

    def against(self, store: Store, wanted: Callable[[Row], bool] = lambda row: True) -> Comparison:
        """Compare another run with its ``wanted`` rows, by both readers; the worse of the two counts."""
        read, committed = (
            {key: rows for key, rows in one.items() if wanted(rows[0])} for one in (self.read, self.committed)
        )
        return max(
            compare(read, as_read(store)),
            compare(committed, as_committed(store)),
            key=lambda one: (one.lost + one.doubled + one.differing, one.expected),
        )


@dataclass
class FaultTable:
    """What was tried, and what became of the rows."""

    lines: dict[str, tuple[int, Comparison]] = field(default_factory=dict)

    def add(self, fault: str, tried: int, found: Comparison) -> None:
        """Count ``tried`` more occurrences of ``fault``, after which a run's tables compared as ``found``."""
        before, total = self.lines.get(fault, (0, Comparison(0)))
        self.lines[fault] = (before + tried, total + found)

    def markdown(self) -> str:
        """Return the table, a line for each fault."""
        head = "| fault | times tried | rows expected | lost | doubled | differing |\n|:--|--:|--:|--:|--:|--:|\n"
        return head + "".join(
            f"| {fault} | {tried} | {one.expected} | {one.lost} | {one.doubled} | {one.differing} |\n"
            for fault, (tried, one) in self.lines.items()
        )
