"""Rows that failed, by who answered; and what of it ends in exit code 1."""

import pytest
from run_records import commit, ledger
from runs_here import without_ray

from cotfaith.cluster.cli.failures import failures


def committed(start, reader=None, **statuses):
    """A commit of one item, with rows of these statuses."""
    counts = {status: [n] for status, n in statuses.items()}
    return commit(start, start + 1, reader and "transfer", reader, statuses=counts, generation=int(reader is not None))


def reading(start, **statuses):
    return committed(start, "r", **statuses)


def test_a_readers_failure_is_no_subjects():
    found = failures(ledger(committed(0, ok=19, truncated=1), committed(1, ok=20), reading(0, ok=1, unparsed=9)))
    assert [(one.rows, one.failed, one.total) for one in found] == [("rows", 1, 40), ("rows of readers", 9, 10)]
    assert [one.are_more_than(0.05) for one in found] == [False, True]
    assert not found[0].are_more_than(1 / 40)  # not more than the share itself


def test_a_run_without_readers_and_one_without_rows():
    assert [one.rows for one in failures(ledger(committed(0, ok=1)))] == ["rows"]
    assert failures(ledger()) == []


@pytest.mark.parametrize("lost", [True, False])
def test_a_run_ends_with_1_where_one_role_failed_too_often(tmp_path, monkeypatch, cli, lost):
    """Few readings among many rows: all of them fail, which is less than the limit of all rows together."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    found = ledger(committed(0, ok=990), reading(0, **{"unparsed" if lost else "ok": 10}))
    monkeypatch.setattr("cotfaith.cluster.cli.run.counted_failures", lambda store: failures(found))
    (tmp_path / "spec.yaml").write_text(
        "models: [{id: m, engine: stub}]\ntasks: [{name: t, generator: addition, n: 2}]\n"
        "probes: [no_cot]\noutput: {path: run}\n"
    )
    code, out, err = cli("run", "spec.yaml")
    said = "0 of 990 rows, 10 of 10 rows of readers failed (limit 5%)"
    assert (code, said in " ".join(err.split())) == (int(lost), lost)
    assert ("10 of 10 rows of readers are not ok (10 unparsed)" in " ".join(out.split())) == lost
