"""An Inspect log's bytes, checked before inspect_ai reads them: a zip file (``.eval``), or JSON.

In: a path. Out: nothing, or ``TaskError`` that names the file, what is wrong with it and what to do. Every member is
unpacked once, piece by piece, and dropped: only so is it known that sizes and checksums are true, and that together
they unpack to no more than the limit. Members' names must stay within the archive. Knows nothing about what logs say.
"""

import zipfile
from pathlib import Path, PurePosixPath

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.limits import check_bytes, check_count, most_bytes

_PIECE = 2**20
_AGAIN = "Copy the log again, or use another one."


def check_archive(path: Path) -> None:
    """Raise ``TaskError`` unless the zip file is whole and small enough."""
    most = most_bytes()
    check_bytes(path, path.stat().st_size, most)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive, most)
    except TaskError:
        raise
    except Exception as error:  # each way to pack has errors of its own, and damage can name any way
        raise TaskError(f"{path}: not a whole Inspect log (a zip file): {error}. {_AGAIN}") from None


def _check_members(path: Path, archive: zipfile.ZipFile, most: int) -> None:
    members = archive.infolist()
    check_count(path, len(members), most)
    check_bytes(path, sum(member.file_size for member in members), most, "unpacks to")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise TaskError(f"{path}: its member {member.filename!r} leads out of the archive. {_AGAIN}")
        with archive.open(member) as file:
            while file.read(_PIECE):  # a false checksum is noticed at the end, and no more than file_size is read
                pass
