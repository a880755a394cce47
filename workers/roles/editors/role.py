"""The role of models that write mistakes and paraphrases."""

from collections.abc import Sequence
from typing import Any

from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.roles.editors.choice import check_editor, editor_identity, editor_model, make_editor
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, Prompt, find_prompt
from cotfaith.workers.roles.role import Helper, PlannedArm, Work
from cotfaith.workers.text.codec import count_tokens


def _identity(spec: RunSpec, subject: ResolvedModel) -> dict[str, Any]:
    return editor_identity(spec) | {"by": make_editor(spec, subject.spec, subject.codec).name}


def _work(spec: RunSpec, model: ResolvedModel, arms: Sequence[PlannedArm]) -> Work:
    """Count the editor's requests, with the parts of the chain that it reads, and what it writes."""
    prompt = max(count_tokens(model.codec, [found.text]) for found in _prompts(spec))
    edits, edited = sum(arm.edits for arm in arms), sum(arm.edited for arm in arms if arm.edits)
    read = 2 * edited + sum(arm.edit_reads for arm in arms if arm.edits)
    return Work(edits, edits * prompt + read, read, edited)


def _prompts(spec: RunSpec) -> list[Prompt]:
    return [find_prompt(kind, spec.editor) for kind in PROMPT_KINDS]


EDITOR_ROLE = Helper(
    name="editor",
    summary="Writes mistakes and paraphrases into the chains of subjects.",
    check=check_editor,
    plural="editors",
    model=editor_model,
    identity=_identity,
    work=_work,
    prompts=_prompts,
)
