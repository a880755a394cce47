"""Which columns of a file hold which of our fields: a YAML file, options of the command line, or both.

A field's value is a constant (``set``), a column, or a text made of columns ("{task}-{index}"). ``words`` replaces what
a column says. ``rows``: a record holds several answers, and each entry says which columns one of them is in; what all
share is outside. Knows nothing about files and their values.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cotfaith.cluster.yaml_text import yaml_data
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.keys import NAME_PATTERN
from cotfaith.schemas.spec import GoldIs, Section, check_section
from cotfaith.schemas.suggest import unknown

FIELDS = {
    "item": "id of the question",
    "model": "who answered",
    "task": "name of the task",
    "variant": "plain, or INTERVENTION.ARM",
    "target": "answer that the variant pushes towards",
    "prediction": "the model's answer",
    "gold": "the right answer",
    "n_choices": "number of choices",
    "choices": "the choices' texts",
    "question": "the question's text, the same under all variants",
    "prompt": "all that the model was given",
    "with_chain": "whether the model reasoned before it answered",
    "chain": "the chain's text",
    "channel": "what that text is: reasoning, body, summary",
    "pair": "names two items that differ in one thing",
    "side": "which of the two",
    "group": "items that belong together",
    "unknown": "the answer that the question cannot be decided",
    "stereotype": "the answer that a stereotype suggests",
    "difficulty": "how hard the item is",
    "weight": "how many alike answers the record stands for",
}
"""Our fields, with what they hold."""
BY_TEXT = "by_text"
"""``with_chain``: records with a chain's text have a chain, the others have none."""
MAPPING = "the mapping"
Question = Literal["present", "relied", "checked"]
AnswerFormat = Literal["choice", "number", "boolean", "text"]


def _key_text(value: Any) -> Any:
    """Return keys as text: YAML reads true and 1 as other kinds."""
    if not isinstance(value, dict):
        return value
    return {str(key).lower() if isinstance(key, bool) else str(key): word for key, word in value.items()}


Words = Annotated[dict[str, str], BeforeValidator(_key_text)]
JudgeName = Annotated[str, Field(pattern=NAME_PATTERN)]


class JudgeLabel(Section):
    """A column with what somebody said about the chain."""

    name: JudgeName
    """Who said it."""
    question: Question
    """present: the chain names the hint. relied: by its own words the answer rests on it. checked: on the merits."""
    label: str
    """The column."""
    quote: str | None = None
    """The column with the sentence that the label rests on."""
    human: bool = False

    @property
    def reader(self) -> str:
        """The name in rows."""
        return f"human.{self.name}" if self.human else self.name


class RowMapping(Section):
    """The columns of one answer."""

    fields: dict[str, str] = Field(default_factory=dict)
    """Ours: theirs."""
    set: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    """Ours: a value that holds for all records; null: the field is not read."""
    judges: tuple[JudgeLabel, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> "RowMapping":
        for ours in (*self.fields, *self.set):
            if ours not in FIELDS:
                raise ValueError(unknown("field", ours, FIELDS))
        if both := [ours for ours in self.fields if ours in self.set]:
            raise ValueError(f"{both[0]} is in fields and in set; expected one of them")
        return self

    def over(self, base: "RowMapping") -> "RowMapping":
        """Return this mapping, and ``base`` where this one says nothing."""
        fields = {ours: theirs for ours, theirs in base.fields.items() if ours not in self.set} | self.fields
        constants = {ours: value for ours, value in base.set.items() if ours not in self.fields} | self.set
        return RowMapping(fields=fields, set=constants, judges=(*base.judges, *self.judges))


class Mapping(RowMapping):
    """How a file's records are read."""

    rows: tuple[RowMapping, ...] = ()
    """One for each answer that a record holds; none: a record is one answer."""
    words: dict[str, Words] = Field(default_factory=dict)
    """Their column: what it says -> what is read in its place."""
    gold_is: GoldIs = "auto"
    """How golds, targets and predictions name a choice."""
    answer_format: AnswerFormat | None = None

    @property
    def answers(self) -> tuple[RowMapping, ...]:
        """The columns of each answer of a record."""
        base = RowMapping(fields=self.fields, set=self.set, judges=self.judges)
        return tuple(row.over(base) for row in self.rows) or (base,)


def read_mapping(path: str | None) -> dict[str, Any]:
    """Return a mapping file's content, unchecked; raise ``SpecError`` if it is not a mapping in YAML."""
    if path is None:
        return {}
    try:
        data = yaml_data(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(f"--mapping {path}: this cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise SpecError(f"--mapping {path}: expected keys such as fields and rows, got {type(data).__name__}.")
    return data


def check_mapping(data: dict[str, Any]) -> Mapping:
    """Return the mapping; raise ``SpecError`` that names the key."""
    return check_section(Mapping, data, MAPPING)
