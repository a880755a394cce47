"""A file that a command writes for its user to edit: an existing one is never written over."""

from pathlib import Path

from cotfaith.schemas.errors import SpecError


def write_new(path: Path, text: str, way_out: str = "Name another file, or move it away.") -> bool:
    """Write ``text``; return False if the file is there with the same text. ``way_out`` ends the message if not.

    Raises:
        SpecError: there is another file at ``path``, or it cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        raise SpecError(
            f"{path}: this is there already, with other contents, and is not written over. {way_out}"
        ) from None
    except OSError as error:
        raise SpecError(f"{path}: the file cannot be written: {error.strerror}. Name another file.") from None
    return True
