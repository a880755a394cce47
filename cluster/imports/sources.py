"""The sources of ``cotfaith import`` -> files to read, in an order that does not depend on the machine.

A source is a file, an address, a folder, or a pattern (``**`` is any depth). A folder is read with all that is below
it; hidden files are left out, and so are files of other kinds, with a note. No file is read twice, and in folders and
patterns the file to write is not one of them.
"""

import glob
from collections.abc import Sequence
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import resolve_path
from cotfaith.workers.remote.address import is_address
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.tasks.files import READERS
from cotfaith.workers.tasks.inspect_log import LOG
from cotfaith.workers.tasks.values import file_kind


def source_files(sources: Sequence[str], target: str) -> tuple[list[Path], list[str]]:
    """Return the files, and notes on what is left out; ``target``: the file to write.

    Raises:
        SpecError: a folder or a pattern has no file to read, or an address is not there.
        StoreError: a server cannot be reached.

    """
    notes: list[str] = []
    found: dict[Path, Path] = {}
    for source in sources:
        for path in _files(source, Path(target), notes):
            if found.setdefault(path.resolve(), path) is not path:
                notes.append(f"{path}: this file is named more than once, and read once.")
    return list(found.values()), notes


def _files(source: str, target: Path, notes: list[str]) -> list[Path]:
    path = resolve_path(source)
    if is_address(source) or path.is_file() or not (path.is_dir() or glob.has_magic(source)):
        return [local_file(source, "import")]
    matched = glob.glob(str(path), recursive=True)  # noqa: PTH207 like a shell's: it leaves hidden files out
    named = [path] if path.is_dir() else sorted(map(Path, matched))
    below = [one for name in named for one in (sorted(_within(name)) if name.is_dir() else [name])]
    files = [one for one in dict.fromkeys(below) if one.resolve() != target.resolve()]
    read = [one for one in files if one in named or one.suffix.lower() == LOG or file_kind(one) in READERS]
    if not read:
        kinds = ", ".join(sorted((*READERS, LOG)))
        raise SpecError(f"{source}: no file to read is here; expected files that end in {kinds} (or .gz).")
    if others := [one for one in files if one not in read]:
        notes.append(f"{source}: {len(others):,} files of other kinds are not read, such as {others[0]}.")
    if len(files) < len(set(below)):
        notes.append(f"{source}: {target}, the file to write, is not read.")
    return read


def _within(folder: Path) -> list[Path]:
    """Return the files below a folder, without hidden ones."""
    found = (one for one in folder.rglob("*") if one.is_file())
    return [one for one in found if not any(part.startswith(".") for part in one.relative_to(folder).parts)]
