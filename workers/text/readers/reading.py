"""What a reader finds in a text.

``strict`` is the answer at the text's start, where it was asked for. ``loose`` is the text's conclusion, read
independently. ``value`` is the one that counts: the strict one if there is one, unless the text retracts it or gives
another.
"""

from dataclasses import dataclass

NO_ANSWER = "No answer could be read from the text."
SEVERAL = "The text gives several answers, or one that could not be fully read."


@dataclass(frozen=True)
class Reading:
    """What was read in one text."""

    strict: str | None = None
    loose: str | None = None
    value: str | None = None
    refused: bool = False
    """Whether the text says that there is no answer."""

    @property
    def error(self) -> str:
        """Why there is no value."""
        return SEVERAL if self.strict or self.loose else NO_ANSWER
