"""What a reader found in a text.

``strict`` stands where the answer was asked for, at the text's start; ``loose`` is what the text concludes with, read
on its own. ``value`` is what counts: the strict one where there is one, unless the text takes it back or says another.
"""

from dataclasses import dataclass

NO_ANSWER = "No answer could be read from the text."
SEVERAL = "The text gives several answers, or one that could not be read whole."


@dataclass(frozen=True)
class Reading:
    """One text, read."""

    strict: str | None = None
    loose: str | None = None
    value: str | None = None
    refused: bool = False
    """Whether the text says that there is no answer."""

    @property
    def error(self) -> str:
        """Say why there is no value."""
        return SEVERAL if self.strict or self.loose else NO_ANSWER
