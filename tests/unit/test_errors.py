"""The tree of errors: all of them stand in one module, are in its docstring, and cross processes."""

import ast
import pickle

import pytest

from cotfaith.schemas import errors
from cotfaith.schemas.errors import CotfaithError, EngineLostError, ServerBusyError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_in_the_tree_and_in_its_picture(kind):
    assert issubclass(kind, CotfaithError)
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_picklable(kind):
    again = pickle.loads(pickle.dumps(kind("what was got")))
    assert (type(again), str(again)) == (kind, "what was got")


@pytest.mark.parametrize(
    ("kind", "name", "value"), [(EngineLostError, "role", "editor"), (ServerBusyError, "wait_s", 3.0)]
)
def test_what_was_set_on_an_error_stays(kind, name, value):
    error = kind("gone")
    setattr(error, name, value)
    assert getattr(pickle.loads(pickle.dumps(error)), name) == value


def test_no_error_is_defined_elsewhere(repo):
    for path in [path for folder in ("workers", "cluster", "schemas") for path in (repo / folder).rglob("*.py")]:
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        named = [node.name for node in classes if node.name.endswith(("Error", "Exception"))]
        assert not named or path == repo / "schemas" / "errors.py", (path, named)
