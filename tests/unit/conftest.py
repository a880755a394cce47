"""Which unit tests share a worker under ``--dist loadfile``: those of one file, and all that load torch."""

from pathlib import Path

import pytest

TORCH = {"test_chat_template", "test_prompt_date", "test_sampling", "test_template_check"}
"""Each loads torch, which takes seconds of every worker that does."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling  # some environments run these tests without xdist

    class FilesTogether(LoadFileScheduling):
        """A file's tests go to one worker, which makes their fixtures once; the files of ``TORCH`` count as one."""

        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "torch" if Path(file).stem in TORCH else file

    return FilesTogether(config, log) if config.getvalue("dist") == "loadfile" else None
