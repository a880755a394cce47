"""The files of infra/ agree with the product: their command lines, specs, versions, variables and times."""

import re
import shlex

import pytest
import typer.main
import yaml
from pages import blocks_of

from cotfaith.cluster.cli.app import app
from cotfaith.schemas.spec import parse_spec

COMMAND = re.compile(r"(?<![\w/.$-])cotfaith +((?:[a-z]|SPEC|RUN)[^\n`|>&;)]*)")
PAGE = "docs/cluster.md"


@pytest.fixture(scope="module")
def texts(repo):
    """Each file's text by its name, with commands that go on in the next line joined."""
    names = [path for path in (repo / "infra").rglob("*") if path.is_file() and "package" not in path.parts]
    kept = [path for path in names if path.suffix in (".yaml", ".sbatch", ".tf") or path.name == "Dockerfile"]
    return {str(path.relative_to(repo)): path.read_text().replace("\\\n", " ") for path in (*kept, repo / PAGE)}


@pytest.fixture(scope="module")
def commands(texts):
    """Every command line of cotfaith in them: the file, and the words behind the program's name."""
    found = []
    for name, text in texts.items():
        for line in text.splitlines():
            told = line.strip()
            if told.startswith("#") and not told.lstrip("# ").startswith("cotfaith "):
                told = " ".join(re.findall(r"`[^`]*`", told))  # a sentence: what is quoted in it is a command
            found += [(name, _words(one)) for one in COMMAND.findall(told)]
    return [(name, words) for name, words in found if words]


def _words(line):
    """Return the words of a command, or of prose with the end of a quotation in it."""
    line = line.split(" #")[0].strip().strip("'\"")
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return [word.strip("'\".,:") for word in words]


def _check(words):
    """Raise unless the command is known, and each of its options."""
    group = typer.main.get_command(app)
    command = group.commands.get(words[0])
    assert command is not None, f"no command {words[0]!r}"
    known = {name for option in command.params for name in option.opts}
    unknown = [word for word in words[1:] if word.startswith("--") and word.split("=")[0] not in known]
    assert not unknown, f"{words[0]}: no option {unknown}"


def test_every_command_line_is_one_that_cotfaith_has(commands):
    """Prose names some commands without what they need, so names and options are checked; whole lines are below."""
    assert {words[0] for _, words in commands} > {"run", "plan", "verify", "check-store", "watch-preemption"}
    assert {name for name, _ in commands} > {
        PAGE,
        "infra/ray/aws.yaml",
        "infra/kuberay/rayjob.yaml",
        "infra/slurm/run.sbatch",
    }
    for _, words in commands:
        _check(words)


@pytest.mark.parametrize("words", [["runs", "x"], ["run", "s.yaml", "--drain-second", "3"]])
def test_a_wrong_line_would_be_seen(words):
    with pytest.raises(AssertionError, match=r"no command|no option"):
        _check(words)


def test_lines_that_machines_execute_parse_whole(repo, texts):
    job = _documents(repo, "rayjob")["RayJob"]["spec"]["entrypoint"]
    nodes = [
        yaml.safe_load(texts[f"infra/ray/{cloud}.yaml"])["worker_start_ray_commands"][-1] for cloud in ("aws", "gcp")
    ]
    slurm = next(line for line in texts["infra/slurm/run.sbatch"].splitlines() if line.startswith("cotfaith run"))
    group = typer.main.get_command(app)
    for line in (job, *nodes, slurm):
        words = shlex.split(
            line.split("cotfaith ", 1)[1].split(" >")[0].removesuffix(" &").replace("$drain_seconds", "60")
        )
        group.commands[words[0]].make_context(words[0], words[1:]).close()


def test_specs_in_the_files_are_specs(repo, texts):
    page = [yaml.safe_load(one.text) for one in blocks_of(PAGE, texts[PAGE]) if one.language == "yaml"]
    kube = [
        yaml.safe_load(_documents(repo, name)["ConfigMap"]["data"]["spec.yaml"]) for name in ("rayjob", "raycluster")
    ]
    assert len(page) == 1
    for spec in (*page, *kube):
        parsed = parse_spec(spec)
        assert parsed.resources.ray_address == "auto"
        assert parsed.output.path.startswith("s3://")


def test_ray_is_the_one_of_the_image(repo):
    pinned = re.search(r"(?m)^ray==(.*)$", (repo / "constraints.txt").read_text())[1]
    for name in ("rayjob", "raycluster"):
        assert _cluster(repo, name)["rayVersion"] == pinned


def test_both_kubernetes_files_make_the_same_cluster(repo):
    assert _cluster(repo, "rayjob") == _cluster(repo, "raycluster")
    assert _documents(repo, "rayjob")["ConfigMap"] == _documents(repo, "raycluster")["ConfigMap"]


def test_graces_are_longer_than_what_drains_in_them(repo, texts):
    """Whoever sends SIGTERM must wait for longer than the driver, or Ray on a worker, lets work finish."""
    cluster = _cluster(repo, "rayjob")
    head, worker = cluster["headGroupSpec"]["template"]["spec"], cluster["workerGroupSpecs"][0]["template"]["spec"]
    drains = int(re.search(r"--drain-seconds (\d+)", _documents(repo, "rayjob")["RayJob"]["spec"]["entrypoint"])[1])
    assert drains < int(_variables(head)["RAY_JOB_STOP_WAIT_TIME_S"]) < head["terminationGracePeriodSeconds"]
    assert int(_variables(worker)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"]) < worker["terminationGracePeriodSeconds"]
    slurm = texts["infra/slurm/run.sbatch"]
    assert int(re.search(r"DRAIN_SECONDS:-(\d+)", slurm)[1]) < int(re.search(r"--signal=B:TERM@(\d+)", slurm)[1])
    for cloud, notice_s in (("aws", 120), ("gcp", 30)):
        assert int(re.search(r"DRAIN_TIMEOUT_S=(\d+)", texts[f"infra/ray/{cloud}.yaml"])[1]) < notice_s


def test_heads_are_on_demand_without_engines_and_workers_are_spot(repo, texts):
    for cloud in ("aws", "gcp"):
        config = yaml.safe_load(texts[f"infra/ray/{cloud}.yaml"])
        head, worker = (config["available_node_types"][name] for name in ("head", "gpu_spot"))
        assert "spot" not in str(head).lower()
        assert "spot" in str(worker["node_config"]).lower()
        assert head["resources"] == {"CPU": 0}
        assert worker["min_workers"] == 0
        assert config["provider"]["cache_stopped_nodes"] is False
    assert _cluster(repo, "rayjob")["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_pods_do_not_run_as_root(repo):
    cluster = _cluster(repo, "rayjob")
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert all(one["securityContext"]["allowPrivilegeEscalation"] is False for one in pod["containers"])


def test_the_image_is_built_of_every_package_and_of_no_run(repo):
    allowed = (repo / "infra/docker/Dockerfile.dockerignore").read_text().splitlines()
    packages = [path.readlink().name for path in (repo / "infra/package/cotfaith").iterdir() if path.is_symlink()]
    assert "*" in allowed
    assert {f"!{name}" for name in (*packages, "infra/package", "pyproject.toml", "constraints.txt")} < set(allowed)
    assert not {"!runs", "!.", "!tests", "!.git"} & set(allowed)


def test_the_last_stage_of_each_image_has_a_user(texts):
    stages = re.split(r"(?m)^FROM ", texts["infra/docker/Dockerfile"])[1:]
    users = {re.search(r"AS (\w+)", stage)[1]: re.findall(r"(?m)^USER (\d+)", stage) for stage in stages}
    assert users["cpu"][-1] == users["cuda"][-1] == "1000"


def test_what_is_to_be_set_is_marked_and_no_account_is_named(texts):
    for name, text in texts.items():
        assert not re.search(r"\b\d{12}\b|AKIA[0-9A-Z]{16}", text), name
    assert all("SET_ME" in texts[name] for name in texts if "/ray/" in name or "/kuberay/" in name)


def _documents(repo, name):
    return {one["kind"]: one for one in yaml.safe_load_all((repo / f"infra/kuberay/{name}.yaml").read_text())}


def _cluster(repo, name):
    found = _documents(repo, name)
    return found["RayJob"]["spec"]["rayClusterSpec"] if "RayJob" in found else found["RayCluster"]["spec"]


def _variables(pod):
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
