"""Which models and tasks a command shows, and whether in full.

In: the options ``--details``, ``--model`` and ``--task``. Out: a ``View``. A filter is a wish for details.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown


@dataclass(frozen=True)
class View:
    """What is shown."""

    details: bool = False
    models: tuple[str, ...] = ()
    """The only ones; empty: all. Likewise ``tasks``."""
    tasks: tuple[str, ...] = ()

    @property
    def in_full(self) -> bool:
        """Whether every line is shown, however many there are."""
        return self.details or bool(self.models or self.tasks)

    def shows(self, model: str, task: str) -> bool:
        """Return whether this model on this task is shown."""
        return (not self.models or model in self.models) and (not self.tasks or task in self.tasks)


def view(
    details: bool, models: list[str] | None, tasks: list[str] | None, known: tuple[Iterable[str], Iterable[str]]
) -> View:
    """Return what the options ask for.

    ``known``: the models and the tasks that there are.

    Raises:
        SpecError: a filter names something else.

    """
    for kind, named, names in zip(("model", "task"), (models or [], tasks or []), known, strict=True):
        for name in named:
            if name not in names:
                raise SpecError(f"--{kind}: {unknown(kind, name, names)}")
    return View(details, tuple(dict.fromkeys(models or ())), tuple(dict.fromkeys(tasks or ())))
