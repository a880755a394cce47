"""What a run's progress looks like: in a terminal of 80 columns, in a pipe, and when it is stopped."""

import io
import re

import pytest
from forecasts import forecast_of, missing_of
from rich.console import Console

from cotfaith.cluster.cli.progress import RunProgress
from cotfaith.cluster.durations import clock
from cotfaith.cluster.fleet.forecast import Outlook, make_forecast
from cotfaith.cluster.fleet.observers import Feeding, Several
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.workers.engines.stub.engine import StubEngine


class Fixed:
    """A forecast that always sees the same."""

    def __init__(self, forecast, look):
        self.__dict__.update(vars(forecast))
        self.outlook = lambda: look


def shown(tmp_path, look, width=80, terminal=True):
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=terminal, color_system=None, legacy_windows=False)
    with RunProgress(console, Fixed(forecast_of(tmp_path), look)) as progress:
        progress.failed, progress.rows, progress.done, progress.preemptions = 1_234_567, 9_876_543, 1, 12
        progress.tick()
    return [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue()).splitlines() if line.strip()]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("phase", ["loading", "chains", "probes", "readings"])
def test_nothing_wraps_and_nothing_is_cut_on_a_terminal(tmp_path, width, phase):
    look = Outlook(phase, 0.345, 1_234_567_890, 98_765_432_100, 360_000)
    lines = shown(tmp_path, look, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    last = lines[-1]
    assert re.match(r"(loading|sampling|probing|reading) ", last)
    assert "34%" in last
    assert "1.235G/98.77G requests" in last
    assert "1.235M not ok" in last
    assert "ETA 100:00:00" in last
    assert ("tokens/s, 12 preemptions" in last) == (width == 120)


def test_a_pipe_gets_one_line(tmp_path):
    (line,) = shown(tmp_path, Outlook("probes", 0.5, 50, 100, 90.0), terminal=False)
    assert line.startswith("50% done, probing: 50 of about 100 requests, ")
    assert ", ETA 90 s, " in line
    assert line.endswith("1234567 of 9876543 rows not ok, 12 preemptions")
    (line,) = shown(tmp_path, Outlook("loading", 0.0, 0, 100, None), terminal=False)
    assert ", ETA unknown, " in line


def test_a_line_every_30_seconds(tmp_path, monkeypatch):
    now, text = [100.0], io.StringIO()
    monkeypatch.setattr("cotfaith.cluster.cli.progress.time.monotonic", lambda: now[0])
    progress = RunProgress(Console(file=text), forecast_of(tmp_path))
    for _ in range(61):
        progress.tick()
        now[0] += 1
    assert text.getvalue().count("requests") == 2


def test_a_stop_says_what_is_lost(tmp_path):
    missing = missing_of(tmp_path / "run")
    jobs, text = missing.of_subjects(Ledger()), io.StringIO()

    def stop():
        forecast = make_forecast(missing, jobs, Ledger())
        with RunProgress(Console(file=text), forecast) as shown:
            progress = Several([Feeding(forecast), shown])
            for job in jobs[:3]:
                progress.began(job)
            progress.finished("m", run_job(jobs[0], {"subject": StubEngine(missing.plan.model("m"))}), "m#1")
            progress.ended(jobs[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert re.search(r"\n2 shards in flight are lost: about \d+ s of work\.\n$", text.getvalue())
    assert "shards in flight" not in _quiet(tmp_path)


def _quiet(tmp_path):
    """What is shown if a run ends as it should."""
    text = io.StringIO()
    with RunProgress(Console(file=text), forecast_of(tmp_path)):
        pass
    return text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "-"), (0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00")]
)
def test_the_clock(seconds, said):
    assert clock(seconds) == said
