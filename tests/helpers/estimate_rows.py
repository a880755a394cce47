"""Estimates for tests: a record with the fields that a test sets; by default 20 ok rows, and 0.5 [0.4, 0.6]."""

from dataclasses import fields

from cotfaith.cluster.stats.estimates import Estimate

_BLANK = {field.name: None for field in fields(Estimate)}
_COMMON = {"schema_version": 4, "run_id": "r", "model": "m", "task": "t", "strategy": "cot", "variant": "plain"}
_COMMON |= {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n_ok": 20, "n_total": 20, "n_items": 20}


def estimate(metric, **named):
    """Return an estimate; its series is its model."""
    row = {**_BLANK, **_COMMON, "metric": metric, **named}
    return Estimate(**{**row, "series": row["model"]})
