"""The parts of ``cotfaith label`` that show no text: who labels, what can be labelled, labels from and to files."""

import getpass
import re
from pathlib import Path

from cotfaith.cluster.cli.consoles import say
from cotfaith.cluster.cli.new_file import write_new
from cotfaith.cluster.labelling import imported
from cotfaith.cluster.labelling.files import by_text, file_text, read_labels_file
from cotfaith.cluster.labelling.population import Population, read_population
from cotfaith.cluster.labelling.read import read_labels
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.workers.remote.files import local_file


def labeller_name(labeller: str | None) -> str:
    """Return who labels; raise ``SpecError`` if it is no name that can be in a key."""
    try:
        found = getpass.getuser() if labeller is None else labeller
    except (KeyError, OSError):
        found = ""
    if not re.fullmatch(keys.NAME_PATTERN, found):
        source = "the login name is" if labeller is None else "got"
        raise SpecError(
            f"--labeller: {source} {found!r}, expected letters, digits, '.', '_', '-', beginning with a letter or "
            "digit, at most 100. Set --labeller NAME."
        )
    return found


def texts_to_label(store: Store, run: RunRecord) -> Population:
    """Return the texts that can be labelled; raise ``InputError`` if there is none."""
    found = read_population(store, run, read_ledger(store, run))
    if not found.units:
        raise InputError(
            "Nothing to label: the run has no answered chain with a text under a variant with a target. Label a run "
            "whose spec has interventions (docs/interventions.md)."
        )
    return found


def import_labels(store: Store, run: RunRecord, file: str, labeller: str | None) -> None:
    """Take the labels of a file."""
    if labeller is None:
        raise SpecError("--import: set --labeller NAME, the person who gave the labels.")
    path, name = local_file(file, "--import"), labeller_name(labeller)
    given = read_labels_file(path, name)
    population = texts_to_label(store, run)
    found = by_text(given, population.units, path)
    n_new, n = imported.import_labels(store, run.run_id, population, found, name, path), sum(map(len, found.values()))
    same = f"; {n - n_new:,} were there already" if n > n_new else ""
    say(f"{len(given):,} labels by {name} read: {n_new:,} texts labelled{same}.")


def export_labels(store: Store, path: Path, labeller: str | None) -> None:
    """Write all labels, or one person's, to a new file."""
    rows = [row for row in read_labels(store).to_dicts() if labeller in (None, row["labeller"])]
    if not rows:
        by = "" if labeller is None else f" by {labeller}"
        raise InputError(f"The run has no labels{by}. Count what there is: cotfaith label RUN --status")
    write_new(path, file_text(rows, path))
    say(f"{path}: {len(rows):,} labels.")
