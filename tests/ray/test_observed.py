"""What is told of a run on a real local Ray: events of an engine that is killed, and progress in one slow call."""

import json
from contextlib import contextmanager

import pytest
from commands import in_process, write_spec

from cotfaith.cluster.fleet.reporter import NoProgress
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.run_folder import parse_live_status
from cotfaith.schemas.spec import parse_spec

pytestmark = pytest.mark.usefixtures("shared_ray")
SLOW_S = 7.0


def spec(path, **options):
    return {
        "models": [{"id": "m", "engine": "stub", "options": options}],
        "tasks": [{"name": "t", "generator": "addition", "n": 4}],
        "probes": ["no_cot"],
        "resources": {"shard_size": 2, "cpus": 1},
        "output": {"path": str(path)},
    }


def test_a_killed_engines_events_are_in_the_log_and_in_the_last_status(tmp_path):
    """The second item ends its engine: its shard fails twice, alone the second time, and the item twice by itself.

    If the other shard, which is on the engine at first, reports the loss before it, that one is charged with it: then
    the second item's shard is tried once more.
    """
    (items,) = make_plan(parse_spec(spec(tmp_path / "run"))).items.values()
    content = spec(tmp_path / "run", kill_on=items[1].question)
    content["output"]["max_failed_share"] = 1
    done = in_process("run", write_spec(tmp_path, content), "--log", tmp_path / "log")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    bad, good = "m/t/0000000-0000002", "m/t/0000002-0000004"
    of_bad = [one for one in found if one.get("shard") == bad]
    kinds = [one["event"] for one in of_bad]
    spared = len([one for one in of_bad if one["event"] == "job_failed" and not one["charged"]])
    assert spared in (0, 1)
    assert [kinds.count(f"job_{one}") for one in ("failed", "retried", "halved")] == [4 + spared, 2 + spared, 1]
    of_good = [one["event"] for one in found if one.get("shard") == good]
    assert of_good.count("job_done") == 1
    assert "job_failed" in of_good or not spared
    (quarantined,) = [one for one in of_bad if one["event"] == "item_quarantined"]
    assert (quarantined["first_item"], quarantined["items"], quarantined["attempt"]) == (items[1].id, 1, 3)
    assert "ended" in quarantined["error"]
    engines = {one["engine"] for one in found if one["event"] == "engine_lost"}
    assert len(engines) == 4 + spared
    assert engines < {one["engine"] for one in found if one["event"] == "engine_up"}
    assert len({one["run_id"] for one in found}) == 1
    status = parse_live_status(LocalStore(tmp_path / "run").get(keys.STATUS))
    (one,) = status.models
    assert (one.done, one.failed, one.quarantined, one.running, one.waiting) == (3, 4 + spared, 1, 0, 0)
    assert status.state == "done"
    assert status.engine_hours > 0


class Looks(NoProgress):
    """A reporter that looks at the forecast at each tick."""

    def __init__(self):
        self.seen = []

    def warn(self, text):
        pass

    @contextmanager
    def progress(self, forecast):
        self.forecast = forecast
        yield self

    def tick(self):
        look = self.forecast.outlook()
        self.seen.append((len(self.forecast.in_flight._began), look.phase, look.requests_done, look.share))


def test_progress_moves_while_one_call_runs(tmp_path):
    looks = Looks()
    content = spec(tmp_path / "run", seconds_per_call=SLOW_S)
    content["tasks"][0]["n"], content["probes"] = 2, []
    execute(parse_spec(content), looks)
    first_call = [share for _, phase, requests, share in looks.seen if phase == "chains" and requests == 0]
    assert len(set(first_call)) >= 3  # engines are asked every 2 s
    assert first_call == sorted(first_call)
