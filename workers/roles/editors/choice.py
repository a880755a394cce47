"""The editor that a spec names: rules, the subject itself, or another model.

``check_editor`` finds mistakes in that choice before anything runs.
"""

from typing import Any, get_args

from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines import find_engine
from cotfaith.workers.organisms.folder import PREFIX
from cotfaith.workers.roles.editors.base import Editor
from cotfaith.workers.roles.editors.model import ModelEditor
from cotfaith.workers.roles.editors.organism import OrganismEditor
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, PromptKind, find_prompt
from cotfaith.workers.roles.editors.rules import RulesEditor
from cotfaith.workers.text.codec import Codec

EDITORS: dict[str, type[Editor]] = {"organism": OrganismEditor, "rules": RulesEditor}
"""The editors that work by rule, by name."""
_WORDS = ("auto", "subject", *EDITORS)


def make_editor(spec: RunSpec, subject: ModelSpec, codec: Codec) -> Editor:
    """Return the editor of ``subject``'s chains; ``codec`` is the subject's."""
    model = editor_model(spec, subject)
    if model is None:
        return EDITORS["organism" if spec.editor.by == "auto" else spec.editor.by]()
    own = model.id == subject.id
    return ModelEditor(spec.editor, model, "subject" if own else "editor", codec if own else None, spec.prompts.date)


def editor_model(spec: RunSpec, subject: ModelSpec) -> ModelSpec | None:
    """Return the model that edits ``subject``'s chains, which may be the subject itself; None if rules do.

    Raises:
        SpecError: the spec names an editor that does not exist.

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
    """Check that the spec has what a probe with edits needs.

    Raises:
        SpecError: no such editor, or a prompt file that cannot be used.
        CapabilityError: the editor's engine generates no text.

    """
    taken = [model.id for model in spec.models if "editor" in model.roles and model.id in _WORDS]
    if taken:
        raise SpecError(f"models.{taken[0]}: editor.by reserves this word. Give the editor another id.")
    for model in filter(None, (editor_model(spec, subject) for subject in spec.subjects)):
        for kind in get_args(PromptKind):
            find_prompt(kind, spec.editor)
        if not find_engine(model).capabilities(model).generate:
            raise CapabilityError(
                f"Model {model.id!r} is the editor, but its engine {model.engine!r} generates no text. "
                "Set editor.by to another model, or to rules."
            )


def editor_identity(spec: RunSpec) -> dict[str, Any]:
    """Return what edits depend on besides the models: prompts by hash."""
    given = spec.editor
    if given.by in EDITORS:
        return {"by": given.by}
    prompts: dict[str, str] = {kind: find_prompt(kind, given).hash for kind in PROMPT_KINDS}
    if given.question_prompt is not None:
        prompts["question"] = find_prompt("question", given).hash
    settings = {name: getattr(given, name) for name in ("max_tokens", "temperature", "tries")}
    return {"by": given.by, **settings, "prompts": prompts}
