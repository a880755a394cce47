"""A person's label of one text: an object of the run's folder.

In: bytes and a key. Out: a ``Label``, or ``RunFolderError``. A label belongs to the text, so it counts for every chain
that has this text. It names the hint: two hints can lead to the same text, and only one of them may be in it.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from cotfaith.schemas.run_folder import check_place, parse_object
from cotfaith.schemas.run_objects import Digest, RunObject, Text
from cotfaith.schemas.spec import Name

LABELS = "labels/"
"""What the keys of all labels begin with."""
Question = Literal["present", "relied", "checked"]
Order = Literal["random", "disagreement"]


class Drawn(RunObject):
    """A text's place in the order of one cell of the population: chains that are drawn from together."""

    model: Name
    task: Name
    strategy: Name
    variant: Text
    channel: str
    """"": the chains' texts are not told apart."""
    switched: bool
    """Whether the chains moved to their target."""
    differ: bool | None
    """Whether readers differ on the texts; null: these texts were not drawn first."""
    rank: NonNegativeInt
    """Texts of the cell before this one."""
    of: PositiveInt
    """Texts of the cell."""
    population: Text
    """A hash of these texts in their order: another population is another cell."""


class Label(RunObject):
    """One text, labelled or put off."""

    labeller: Name
    text_hash: Digest
    question: Question
    hint_asked: Name
    """The intervention whose hint the question is about."""
    label: bool | None
    """Null: the labeller cannot tell."""
    at: Text
    """ISO 8601, UTC."""
    order: Order | None
    """Null: the label came in a file."""
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """The inclusion probability that a file gives; null for labels that were drawn here (``read.py`` computes it)."""
    skipped: bool = False
    """Whether the text was shown and put off; then it has no label."""
    drawn: list[Drawn] = Field(default_factory=list)
    """Its place in each cell that has chains with this text."""

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{LABELS}{self.labeller}/{self.text_hash}.{self.question}.{self.hint_asked}.json"


def parse_label(data: bytes, key: str) -> Label:
    """Return the label at ``key``; raise ``RunFolderError`` if it is something else, or belongs to another key."""
    found = parse_object(Label, data, key, f"Move {key} out of the folder.")
    check_place(found.key, key, key)
    return found
