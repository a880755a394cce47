"""A local copy of a file that is elsewhere, which goes by the file's own address in messages."""

from pathlib import Path, PosixPath


class Copy(PosixPath):
    """A path to a local copy. Opening it opens the copy; as text it is the address."""

    address: str

    @classmethod
    def of(cls, path: Path, address: str) -> "Copy":
        """Return a copy at ``path`` of what is at ``address``."""
        copy = cls(path)
        copy.address = address
        return copy

    def __str__(self) -> str:
        return getattr(self, "address", "") or super().__str__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Copy) and self.__fspath__() == other.__fspath__()

    def __hash__(self) -> int:
        return hash(self.__fspath__())

    def __fspath__(self) -> str:
        return super().__str__()
