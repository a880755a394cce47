"""Iceberg exports that meet others, or end in the middle: never a row twice, and none lost."""

import pytest
import yaml
from iceberg_here import assert_no_row_twice, assert_there, on_disk
from runs_here import finish, without_ray

from cotfaith.cluster.export.iceberg import export_iceberg
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import check_spec
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.errors import RunConflictError, StoreError

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: pip install 'pyiceberg[sql-sqlite]'")

SPEC = {
    "models": [{"id": "a", "engine": "stub", "options": {"max_steps": 3}}],
    "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
    "sampling": {"chains_per_item": 1, "max_tokens": 40},
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
}
COMMITS = 6
"""A first export makes three tables, and puts rows into each."""
MAKES_AND_PUTS = (1, 4)
"""One of each kind: the second of three."""


class BrokenOffError(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of other ids."""
    folder = tmp_path_factory.mktemp("finished")
    for name in ("one", "two"):
        finish(folder, SPEC | {"output": {"path": name}})
    return [LocalStore(folder / name) for name in ("one", "two")]


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Return a function that makes a new catalog ``here``."""

    def make(name):
        (tmp_path / str(name)).mkdir()
        on_disk(monkeypatch, tmp_path / str(name))

    return make


@pytest.fixture
def at_commit(monkeypatch):
    """Return a function: at the n-th commit to the catalog from now on, something happens before it, or after it."""
    from pyiceberg.catalog.sql import SqlCatalog

    real, plan = SqlCatalog.commit_table, {}

    def commit_table(self, *arguments):
        count = plan["count"] = plan.get("count", -1) + 1
        if count == plan.get("n"):
            plan.pop("before", lambda: None)()
        done = real(self, *arguments)
        if count == plan.get("n"):
            plan.pop("after", lambda: None)()
        return done

    monkeypatch.setattr(SqlCatalog, "commit_table", commit_table)

    def set_plan(n, **what):
        plan.clear()
        plan.update(n=n, **what)
        return plan

    return set_plan


def export(run):
    return export_iceberg(run, load_run(run), "here", "cotfaith")


@pytest.mark.parametrize("n", MAKES_AND_PUTS)
@pytest.mark.parametrize("other", [0, 1], ids=["same_run", "other_run"])
def test_another_export_before_a_commit_changes_nothing_of_what_is_there(runs, fresh, at_commit, n, other):
    fresh("x")
    plan = at_commit(n, before=lambda: export(runs[other]))
    export(runs[0])
    assert "before" not in plan, "nobody came between"
    assert_there(*({runs[0], runs[other]}))
    assert {one.added for one in export(runs[0]).values()} == {0}


@pytest.mark.parametrize("n", MAKES_AND_PUTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_it_breaks_off_no_row_is_twice_and_the_next_one_completes_it(runs, fresh, at_commit, when, n):
    def end():
        raise BrokenOffError

    fresh("x")
    at_commit(n, **{when: end})
    with pytest.raises(BrokenOffError):
        export(runs[0])
    assert_no_row_twice()
    at_commit(-1)
    export(runs[0])
    assert_there(runs[0])


def test_older_commits_do_not_undo_newer_ones_of_another_export(runs, fresh, at_commit, tmp_path, monkeypatch):
    """The first export has read the run's commits; before it writes, the run goes on and is exported again."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    grown = LocalStore(tmp_path / "run")

    def execute_with(probes):
        spec = yaml.safe_load(yaml.safe_dump(SPEC)) | {"probes": probes, "output": {"path": "run"}}
        assert execute(check_spec(spec, "spec")) == []

    def rival():
        execute_with([*SPEC["probes"], "early_answering"])
        export(grown)

    execute_with(SPEC["probes"])
    fresh("x")
    at_commit(COMMITS - 1, before=rival)
    with pytest.raises(RunConflictError, match="another export of this run put other commits"):
        export(grown)
    assert_there(grown)


def test_a_table_that_is_never_left_alone_is_an_error(runs, fresh, monkeypatch):
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.exceptions import CommitFailedException

    fresh("x")
    export(runs[1])
    slept = []
    monkeypatch.setattr("cotfaith.cluster.export.run_table.time.sleep", slept.append)

    def commit_table(*_):
        raise CommitFailedException("others")

    monkeypatch.setattr(SqlCatalog, "commit_table", commit_table)
    with pytest.raises(RunConflictError, match="was changed by others"):
        export(runs[0])
    assert (len(slept), max(slept) <= 2) == (20, True)


def test_a_catalog_that_fails_is_an_error_of_ours(runs, fresh, at_commit):
    from pyiceberg.exceptions import CommitStateUnknownException

    def fail():
        raise CommitStateUnknownException("502: token=abc")

    fresh("x")
    at_commit(3, after=fail)  # the commit was made, and the answer lost
    with pytest.raises(StoreError, match="CommitStateUnknownException: 502"):
        export(runs[0])
    export(runs[0])
    assert_there(runs[0])
