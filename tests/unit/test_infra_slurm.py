"""The Slurm script, run with stand-ins for Slurm, Ray and cotfaith that write down how they were called."""

import os
import signal
import subprocess
import time

import pytest

STAND_INS = {
    "scontrol": 'if [[ $1 == show ]]; then printf "n1\\nn2\\nn3\\n"; else echo "scontrol $*" >> "$CALLS"; fi',
    "srun": 'while [[ $1 == --* ]]; do [[ $1 == --nodelist=* ]] && node=${1#*=}; shift; done; NODE=$node "$@"',
    "ray": 'echo "$NODE ray $*" >> "$CALLS"; if [[ $1 == start ]]; then exec sleep 60; fi',
    "cotfaith": """
        echo "cotfaith $*" >> "$CALLS"
        if [[ -n ${ENDS:-} ]]; then exit "$ENDS"; fi
        trap 'sleep 0.3; echo drained >> "$CALLS"; exit 143' TERM
        echo ready >> "$CALLS"
        while :; do sleep 0.05; done
    """,
}


@pytest.fixture
def job(repo, tmp_path):
    """A function that starts the script in a process group of its own; what is left of it ends with the test."""
    for name, body in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    started = []

    def start(**variables):
        settings = {"SLURM_JOB_ID": "1234567", "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_CPUS_PER_TASK": "8"}
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
        command = ["bash", str(repo / "infra/slurm/run.sbatch"), "spec.yaml"]
        process = subprocess.Popen(command, env={**os.environ, **settings, **path, **variables}, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)


def _calls(tmp_path):
    return (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []


def _wait_for(tmp_path, line):
    end = time.monotonic() + 60
    while line not in _calls(tmp_path):
        assert time.monotonic() < end, _calls(tmp_path)
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_exit_code_is_the_drivers(job, tmp_path, code):
    assert job(ENDS=str(code), REQUEUE="1").wait(60) == code
    assert not [line for line in _calls(tmp_path) if line.startswith("scontrol")]


def test_each_node_joins_the_first(job, tmp_path):
    job(ENDS="0").wait(60)
    for line in (  # in any order; the port is 20000 and the job's last four digits
        "n1 ray start --block --num-cpus=8 --head --port=24567 --dashboard-host=127.0.0.1",
        "n2 ray start --block --num-cpus=8 --address=n1:24567",
        "n3 ray start --block --num-cpus=8 --address=n1:24567",
        "cotfaith run spec.yaml --set resources.ray_address=n1:24567 --drain-seconds 120",
    ):
        _wait_for(tmp_path, line)


@pytest.mark.parametrize("requeue", ["0", "1"])
def test_sigterm_reaches_the_driver_which_drains(job, tmp_path, requeue):
    """As Slurm sends it some minutes before the time is up: to the script only. Twice, as some send it."""
    process = job(REQUEUE=requeue)
    _wait_for(tmp_path, "ready")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert "drained" in _calls(tmp_path)
    assert ("scontrol requeue 1234567" in _calls(tmp_path)) is (requeue == "1")
