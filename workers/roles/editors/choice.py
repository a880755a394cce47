"""Which editor a spec names: by rule, the subject itself, or another model.

Mistakes in that choice are found by ``check_editor``, before anything runs.
"""

from typing import Any

from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines import find_engine
from cotfaith.workers.organisms.folder import PREFIX
from cotfaith.workers.roles.editors.base import Editor
from cotfaith.workers.roles.editors.model import ModelEditor
from cotfaith.workers.roles.editors.organism import OrganismEditor
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, find_prompt
from cotfaith.workers.roles.editors.rules import RulesEditor
from cotfaith.workers.text.codec import Codec

EDITORS: dict[str, type[Editor]] = {"organism": OrganismEditor, "rules": RulesEditor}
"""Editors by rule, by name."""
_WORDS = ("auto", "subject", *EDITORS)


def make_editor(spec: RunSpec, subject: ModelSpec, codec: Codec) -> Editor:
    """Return the editor of ``subject``'s chains; ``codec`` is the subject's."""
    model = editor_model(spec, subject)
    if model is None:
        return EDITORS["organism" if spec.editor.by == "auto" else spec.editor.by]()
    own = model.id == subject.id
    return ModelEditor(spec.editor, model, "subject" if own else "editor", codec if own else None, spec.prompts.date)


def editor_model(spec: RunSpec, subject: ModelSpec) -> ModelSpec | None:
    """Return the model that edits ``subject``'s chains, which may be itself; None if rules do.

    Raises:
        SpecError: the spec names no editor that there is.

    """
    by = spec.editor.by
    writers = {model.id: model for model in spec.models if "editor" in model.roles}
    if by == "auto" and len(writers) > 1:
        raise SpecError(
            f"editor.by: auto, but {len(writers)} models have the role editor: {', '.join(writers)}. Name one."
        )
    if by == "auto" and writers:
        return next(iter(writers.values()))
    if by in EDITORS or (by == "auto" and subject.source.startswith(PREFIX)):
        return None
    if by in ("auto", "subject"):
        return subject
    if by not in writers:
        hint = " Give that model the role editor." if by in {model.id for model in spec.models} else ""
        raise SpecError(f"editor.by: {unknown('editor', by, [*writers, *_WORDS])}{hint}")
    return writers[by]


def check_editor(spec: RunSpec) -> None:
    """Check what a probe that edits needs of the spec.

    Raises:
        SpecError: no such editor, or a prompt file that cannot be used.
        CapabilityError: an editor whose engine writes no text.

    """
    taken = [model.id for model in spec.models if "editor" in model.roles and model.id in _WORDS]
    if taken:
        raise SpecError(
            f"models.{taken[0]}: editor.by gives this word a meaning of its own. Give the editor another id."
        )
    for model in filter(None, (editor_model(spec, subject) for subject in spec.subjects)):
        for kind in PROMPT_KINDS:
            find_prompt(kind, spec.editor)
        if not find_engine(model).capabilities(model).generate:
            raise CapabilityError(
                f"Model {model.id!r} is to write edits, and its engine {model.engine!r} generates no text. "
                "Name another model by editor.by, or take rules."
            )


def editor_identity(spec: RunSpec) -> dict[str, Any]:
    """Return what edits depend on, beside the models: prompts by hash."""
    given = spec.editor
    if given.by in EDITORS:
        return {"by": given.by}
    prompts = {kind: find_prompt(kind, given).hash for kind in PROMPT_KINDS}
    settings = {name: getattr(given, name) for name in ("max_tokens", "temperature", "tries")}
    return {"by": given.by, **settings, "prompts": prompts}
