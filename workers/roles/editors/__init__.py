"""Editors write mistakes and paraphrases into chains' steps, by rule or by asking a model."""

from cotfaith.workers.roles.editors.base import Editor
from cotfaith.workers.roles.editors.choice import EDITORS, check_editor, editor_identity, editor_model, make_editor
from cotfaith.workers.roles.editors.prompt import with_prompts

__all__ = ["EDITORS", "Editor", "check_editor", "editor_identity", "editor_model", "make_editor", "with_prompts"]
