"""The files of infra/ before the validators of those who read them. All are offline; one that is missing is skipped."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def _program(name):
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: make setup")
    return found


def _passes(*command):
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_ray_takes_the_cluster_file(repo, cloud, capfd):
    """Ray's own check, on the file with Ray's defaults filled in, as ``ray up`` does. It starts no Ray."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((repo / f"infra/ray/{cloud}.yaml").read_text())
    validate_config(prepare_config(config))
    with pytest.raises(Exception, match="max_worker"):
        validate_config(prepare_config({**config, "max_worker": 3}))


@pytest.mark.parametrize("name", ["rayjob", "raycluster"])
def test_kubernetes_takes_the_pods(repo, name):
    """Ray's own kinds are not known to the validator; what they are made of is: the spec's map and each pod."""
    kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: make setup")
    version = kubernetes.latest_version()
    pods = 0
    for document in yaml.safe_load_all((repo / f"infra/kuberay/{name}.yaml").read_text()):
        if document["apiVersion"] == "v1":
            kubernetes.validate(document, version, strict=True)
            continue
        cluster = document["spec"].get("rayClusterSpec", document["spec"])
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
            kubernetes.validate(pod, version, strict=True)
            pods += 1
            with pytest.raises(kubernetes.ValidationError):
                kubernetes.validate({**pod, "spec": {**pod["spec"], "container": []}}, version, strict=True)
    assert pods == 2


def test_yaml_is_tidy(repo):
    _passes(_program("yamllint"), "--strict", "-c", repo / "infra/yamllint.yaml", repo / "infra")


def test_the_dockerfile_is_clean(repo):
    _passes(_program("hadolint"), "--no-color", repo / "infra/docker/Dockerfile")


def test_the_slurm_script_is_clean(repo):
    _passes(_program("bash"), "-n", repo / "infra/slurm/run.sbatch")
    _passes(_program("shellcheck"), repo / "infra/slurm/run.sbatch")


def test_the_check_of_a_release_is_clean(repo):
    _passes(_program("shellcheck"), repo / "infra/release/check.sh")
