"""Weights that could run code when they are read are not read: the plan refuses a folder that has no others."""

import os
import pickle
import shutil
from pathlib import Path

import pytest

from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.organisms.folder import folder_of


class Attack:
    """What makes a file when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("attacked",)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A real model's folder without its weights; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder_of("reasoner"), tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    return tmp_path / "model"


def test_the_attack_works_on_who_unpickles_it(tmp_path, monkeypatch):
    """A control."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Attack()))
    assert Path("attacked").is_dir()


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "model.pkl", "tf_model.h5"]
)
def test_a_folder_with_other_weights_only_is_refused_unread(folder, name):
    (folder / name).write_bytes(pickle.dumps(Attack()))
    task = {"name": "t", "generator": "addition", "n": 1}
    with pytest.raises(ModelSourceError, match="has no safetensors file"):
        make_plan(parse_spec({"models": [{"id": "m", "source": "model"}], "tasks": [task]}))
    assert not Path("attacked").exists()


def test_code_that_comes_with_weights_is_off_by_default():
    assert ModelSpec(id="m", source="x").trust_remote_code is False
