"""Gives what is unreleased a version and a date: ``python infra/release/cut.py 0.2.0``.

In: CHANGELOG.md, whose first section is ``Unreleased``, and CITATION.cff. Out: both with the version and today's date.
Knows nothing about git: the commit and the tag come after it (docs/release.md).
"""

import re
import sys
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNRELEASED = "Unreleased"
_HEADING = re.compile(r"(?m)^## (.*)$")
_RELEASED = re.compile(r"(\d+)\.(\d+)\.(\d+) \((\d{4}-\d\d-\d\d)\)")


def released(changelog: str) -> list[tuple[tuple[int, int, int], date]]:
    """Return the version and date of each released section, newest first.

    Raises:
        ValueError: a heading is neither a release nor, as the first, Unreleased; or they are not in order.

    """
    found = _HEADING.findall(changelog)
    releases = [_release(one) for one in found[found[:1] == [UNRELEASED] :]]
    for (newer, later), (older, before) in pairwise(releases):
        if newer <= older or later < before:
            raise ValueError(f"CHANGELOG.md: {_text(newer)} stands before {_text(older)}. Put the newest first.")
    return releases


def cut(changelog: str, version: str, day: date) -> str:
    """Return the changelog with the unreleased section as this version.

    Raises:
        ValueError: the version is none, or is not newer than the last one; or nothing is unreleased.

    """
    number, _ = _release(f"{version} ({day})")
    before = released(changelog)
    if before and number <= before[0][0]:
        raise ValueError(f"{version}: expected a version after {_text(before[0][0])}, the last one in CHANGELOG.md.")
    start, _, rest = changelog.partition(f"## {UNRELEASED}\n")
    if not _HEADING.split(rest)[0].strip():
        raise ValueError(f"CHANGELOG.md: got no changes under '## {UNRELEASED}', so there is nothing to release.")
    return f"{start}## {version} ({day})\n{rest}"


def cite(citation: str, version: str, day: date) -> str:
    """Return the citation file with this version and date in place of earlier ones."""
    kept = [line for line in citation.splitlines() if not line.startswith(("version:", "date-released:"))]
    return "\n".join([*kept, f"version: {version}", f"date-released: {day}"]) + "\n"


def _release(heading: str) -> tuple[tuple[int, int, int], date]:
    found = _RELEASED.fullmatch(heading)
    if found is None:
        raise ValueError(f"CHANGELOG.md: got {heading!r}, expected a version and its date, such as 0.2.0 (2026-11-29).")
    major, minor, patch = (int(one) for one in found.groups()[:3])
    return (major, minor, patch), date.fromisoformat(found[4])


def _text(number: tuple[int, int, int]) -> str:
    return ".".join(str(one) for one in number)


def main(version: str, root: Path = ROOT) -> None:
    """Change both files, or neither."""
    day = datetime.now(UTC).date()
    changelog, citation = root / "CHANGELOG.md", root / "CITATION.cff"
    texts = cut(changelog.read_text(), version, day), cite(citation.read_text(), version, day)
    for path, text in zip((changelog, citation), texts, strict=True):
        path.write_text(text)
    print(f"CHANGELOG.md and CITATION.cff say {version} ({day}). Read them, commit, and tag the commit v{version}.")


if __name__ == "__main__":
    try:
        (given,) = sys.argv[1:] or [""]
        main(given)
    except ValueError as error:
        sys.exit(f"cut.py: {error}")
