"""Fit the calibrated score on finished validations, judge it on groups left out, and write docs/above-the-record.md.

    python benchmarks/above_the_record.py RUN... [--page docs/above-the-record.md] [--score FILE]

RUN: folders or addresses that `cotfaith validate` has written; no model and task may be in two of them. The page and
its figures go to ``--page``; the fitted scores replace the packaged ones, unless ``--score`` names another file, or
``none``. Needs scikit-learn: pip install 'cotfaith[fit]'.
"""

import argparse
import shlex
import sys
from pathlib import Path

from cotfaith.cluster.stats.metrics.lib.fitted import PACKAGED, write_fitted
from cotfaith.cluster.storage.read import open_run_store
from cotfaith.cluster.validation.calibrated.collected import collect
from cotfaith.cluster.validation.calibrated.page import pages
from cotfaith.cluster.validation.calibrated.study import others, study
from cotfaith.schemas.errors import CotfaithError

NONE = "none"


def main() -> None:
    """Write the page and the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--page", type=Path, default=Path("docs/above-the-record.md"))
    parser.add_argument("--score", default=str(PACKAGED), help="file for the fitted scores, or none")
    args = parser.parse_args()
    try:
        _write(args.runs, args.page, args.score)
    except CotfaithError as error:
        sys.exit(f"Error: {error}")


def _write(runs: list[str], page: Path, score: str) -> None:
    found = collect([open_run_store(run) for run in runs], frozenset(one.name for one in others()))
    made = study(found)
    command = shlex.join(["python", "benchmarks/above_the_record.py", *(Path(run).name for run in runs)])
    page.parent.mkdir(parents=True, exist_ok=True)
    for name, text in pages(made, command, page.stem).items():
        (page.parent / name).write_text(text, encoding="utf-8")
        print(f"Wrote {page.parent / name}")
    if score != NONE:
        fitted = [one.fitted for one in made.scores if one.fitted is not None]
        write_fitted(fitted, Path(score))
        print(f"Wrote {len(fitted)} scores: {score}")


if __name__ == "__main__":
    main()
