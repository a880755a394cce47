"""Terraform without a network: the program and the provider of this machine, or a skip with the reason."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MIRRORS = ("TF_PLUGIN_MIRROR", "~/.terraform.d/plugins")
"""Where ``terraform providers mirror`` may have put providers: a variable, then the usual folder."""


def mirror():
    """Return the folder that holds hashicorp/aws."""
    for place in (os.environ.get(MIRRORS[0], ""), *MIRRORS[1:]):
        folder = Path(place).expanduser()
        if place and any(folder.glob("*/hashicorp/aws")):
            return folder
    pytest.skip("no local mirror with terraform-provider-aws: terraform providers mirror DIR, TF_PLUGIN_MIRROR=DIR")


class Terraform:
    """A copy of infra/terraform in ``folder``, and Terraform in it."""

    def __init__(self, repo, folder):
        self.program = shutil.which("terraform")
        if self.program is None:
            pytest.skip("terraform is not installed")
        settings = folder / "terraformrc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror()}" }}\n}}\n')
        self.folder = folder / "terraform"
        shutil.copytree(
            repo / "infra/terraform", self.folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
        )
        left_out = ("AWS_", "TF_")
        own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        self.environment = {**own, "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1"}

    def __call__(self, *arguments, **variables):
        """Run a command; return what it printed, and fail if it failed."""
        done = subprocess.run(
            [self.program, *arguments, "-no-color"],
            cwd=self.folder,
            env={**self.environment, **{f"TF_VAR_{name}": value for name, value in variables.items()}},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
