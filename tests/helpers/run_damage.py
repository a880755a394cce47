"""Edits of a run's objects, and the check that commands refuse what came of it."""

import json
from contextlib import suppress

from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_folder import parse_object
from cotfaith.schemas.run_objects import Commit

COMMANDS = (("status", "run"), ("aggregate", "run"), ("report", "run"), ("show", "run", "t-000001"))
"""Commands that read a run in the folder ``run``; all but the first read its rows."""


def edit(path, **changes):
    """Change keys of a JSON object; the new value None means null, ``...`` removes the key."""
    content = json.loads(path.read_text())
    content |= changes
    write(path, {k: v for k, v in content.items() if v is not ...})


def write(path, content):
    """Write a JSON object; a commit with the digest that fits it, so that only other checks can find what is wrong."""
    if content.get("sha256") is not None:
        with suppress(RunFolderError):  # not a commit any more
            content = parse_object(Commit, json.dumps(content).encode(), "", "").sealed().data()
    path.write_text(json.dumps(content))


def in_first(path, name, **changes):
    """Change keys of the first object of a list within a JSON object."""
    first, *rest = json.loads(path.read_text())[name]
    edit(path, **{name: [first | changes, *rest]})


def within(path, name, **changes):
    """Change keys of an object within a JSON object."""
    edit(path, **{name: json.loads(path.read_text())[name] | changes})


def refused(cli, expected, commands=COMMANDS):
    for command in commands:
        code, out, err = cli(*command)
        assert code == 2, (command, out, err)
        assert "Traceback" not in err
        for words in expected:
            assert words in " ".join(err.split()), (command, err)
