"""The editor that is a language model: few-shot, as in Lanham et al. 2023 (arXiv 2307.13702), sections 2.4 and 2.6.

In: steps, or a question and a chain. Out: edits, after up to ``editor.tries`` rounds of writing, since weak models
often repeat a step unchanged. For mistakes, the same model then says in one more round whether the new step is
plausible. That judgement is weak: a model judges its own text. Nothing checks that a mistake is wrong, that a
paraphrase keeps more of the meaning than its numbers, or that a chain helps to answer a question: read a sample. Chat
models get the examples as turns of a conversation, other models as text to continue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial

from cotfaith.schemas.records import Edit
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import EditorSpec, ModelSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import GenerateRequest, Generation
from cotfaith.workers.roles.editors.base import Editing, EditKind, Framed, Question, edit_failed, framed
from cotfaith.workers.roles.editors.prompt import Prompt, find_prompt
from cotfaith.workers.roles.editors.reply import fault, question_fault, read_question, read_reply
from cotfaith.workers.shard.request import Request, score_request
from cotfaith.workers.text.codec import Codec, uses_chat
from cotfaith.workers.text.conversation import conversation
from cotfaith.workers.text.templates import without_thinking

_TOP_P = 0.95
_YES_NO_TOKENS = 8
_EMPTY = "The step holds no letter and no digit."


@dataclass(frozen=True)
class ModelEditor:
    """An editor that asks a model."""

    spec: EditorSpec
    model: ModelSpec
    role: str
    """The role whose engine answers: "editor", or "subject" if a model edits its own chains."""
    own_codec: Codec | None = None
    """The subject's codec, if it edits its own chains; else the tokenizer is loaded with the first edit."""
    date: datetime | None = None
    """The date for that tokenizer's chat template; None: now."""

    @property
    def name(self) -> str:
        """The model's id."""
        return self.model.id

    def edit(self, kind: EditKind, steps: Sequence[str], seeds: Sequence[int]) -> Editing:
        """Rewrite each step; steps without a letter or digit fail without a request."""
        prompt = find_prompt(kind, self.spec)
        edits = yield from self._written(kind, prompt, [framed(step) for step in steps], seeds)
        if kind == "mistake":
            edits = yield from self._judged(edits)
        return [replace(edit, prompt_hash=prompt.hash) for edit in edits]

    def questions(self, old: Question, seeds: Sequence[int]) -> Editing:
        """Write another question for each seed."""
        prompt = find_prompt("question", self.spec)
        failed = edit_failed(old.text, self.name, "")
        opening, stops = self._opening(prompt, old.shown, old.chain), self._stops(prompt, old.text)
        write = partial(self._request, opening, stops, lambda reply: self._question(old.text, reply), failed)
        edits = yield from self._tried([write] * len(seeds), [failed] * len(seeds), seeds)
        return [replace(edit, prompt_hash=prompt.hash) for edit in edits]

    def _written(self, kind: EditKind, prompt: Prompt, parts: Sequence[Framed], seeds: Sequence[int]) -> Editing:
        writes = [partial(self._write, kind, prompt, part) if part.says_something else None for part in parts]
        return self._tried(writes, [self._failed(part, _EMPTY) for part in parts], seeds)

    def _tried(
        self, writes: Sequence[Callable[[int], Request] | None], failed: Sequence[Edit], seeds: Sequence[int]
    ) -> Editing:
        """Ask for each edit, and retry failed ones; a greedy model would write the same again."""
        edits = list(failed)
        left = [(i, write) for i, write in enumerate(writes) if write is not None]
        for attempt in range(self.spec.tries if self.spec.temperature else 1):
            if left:
                new = yield [write(_seed(seeds[i], attempt)) for i, write in left]
                for (i, _), edit in zip(left, new, strict=True):
                    edits[i] = edit
                left = [(i, write) for i, write in left if edits[i].status is Status.EDIT_FAILED]
        return edits

    def _write(self, kind: EditKind, prompt: Prompt, old: Framed, seed: int) -> Request:
        opening, stops = self._opening(prompt, old.words), self._stops(prompt, old.words)
        return self._request(opening, stops, lambda reply: self._edit(kind, old, reply), self._failed(old, ""), seed)

    def _request(
        self, opening: str, stops: tuple[str, ...], read: Callable[[str], Edit], failed: Edit, seed: int
    ) -> Request:
        tokens = self._codec.encode(opening)
        payload = GenerateRequest(tokens, self.spec.max_tokens, self.spec.temperature, _TOP_P, seed, stops)
        return Request(
            payload,
            lambda generation: replace(self._read(read, failed, payload, generation), seeds=(seed,)),
            lambda status, error: replace(failed, status=status, error=error, seeds=(seed,)),
            self.role,
        )

    def _stops(self, prompt: Prompt, words: str) -> tuple[str, ...]:
        if not self._chat:
            return _ends(prompt, words)
        return () if self._codec.turn_end is None else (self._codec.turn_end,)

    def _text(self, asked: GenerateRequest, generation: Generation) -> str:
        return self._codec.continuation(asked.prompt, generation.tokens)

    def _read(self, read: Callable[[str], Edit], failed: Edit, asked: GenerateRequest, generation: Generation) -> Edit:
        told = generation.told
        if told.status is not Status.OK:
            return replace(failed, error=told.error or "", status=told.status)
        if generation.finish_reason == "length":
            return replace(failed, error=f"The limit of {self.spec.max_tokens} tokens cut the edit.")
        return read(self._text(asked, generation))

    def _edit(self, kind: EditKind, old: Framed, reply: str) -> Edit:
        words = read_reply(old.words, reply)
        error = fault(kind, old.words, words)
        return self._failed(old, error) if error is not None else self._changed(old.around(words))

    def _question(self, old: str, reply: str) -> Edit:
        new = read_question(reply)
        error = question_fault(old, new)
        return edit_failed(old, self.name, error) if error is not None else self._changed(new)

    def _changed(self, text: str) -> Edit:
        return Edit(text, changed=True, plausible=None, status=Status.OK, editor=self.name)

    def _failed(self, old: Framed, error: str) -> Edit:
        return edit_failed(old.around(old.words), self.name, error)

    def _judged(self, edits: Sequence[Edit]) -> Editing:
        """Ask for each new step whether it is plausible."""
        prompt = find_prompt("plausible", self.spec)
        verdicts = iter((yield [self._judge(prompt, framed(edit.text)) for edit in edits if edit.changed]))
        return [replace(edit, plausible=next(verdicts)) if edit.changed else edit for edit in edits]

    def _judge(self, prompt: Prompt, new: Framed) -> Request:
        opening = self._opening(prompt, new.words)
        if self._scores:
            words = ("Yes", "No") if self._chat else (" Yes", " No")
            payload = score_request(self._codec, opening, words)
            return Request(payload, _likelier, lambda *_: None, self.role)
        short = GenerateRequest(self._codec.encode(opening), _YES_NO_TOKENS, 0.0, 1.0, 0)
        return Request(short, lambda found: self._yes_or_no(self._text(short, found)), lambda *_: None, self.role)

    def _yes_or_no(self, reply: str) -> bool | None:
        text = reply.strip().lower()
        return text.startswith("yes") or (False if text.startswith("no") else None)

    @cached_property
    def _codec(self) -> Codec:
        return load_codec(self.model, self.date) if self.own_codec is None else self.own_codec

    @cached_property
    def _scores(self) -> bool:
        """Whether the engine offers log-probabilities; if not, a yes or no is generated."""
        return not self._codec.whole_turns and find_engine(self.model).capabilities(self.model).score

    @cached_property
    def _chat(self) -> bool:
        return uses_chat(self.model, self._codec)

    def _opening(self, prompt: Prompt, *words: str) -> str:
        """Return the prompt; a model that thinks is made to reply at once."""
        texts = [self._codec.plain(one) for one in words]
        if not self._chat:
            return prompt.about(*texts)
        thinks, turns = self.model.thinking != "none", prompt.turns_about(*texts)
        opening = conversation(self._codec, self.model.system, thinks).opened(turns)
        return without_thinking(opening) if thinks and not self._codec.whole_turns else opening


def _likelier(logprobs: Sequence[float]) -> bool | None:
    """Return whether yes is likelier than no; None if they tie, since the model then gives no judgement."""
    yes, no = logprobs
    return None if yes == no else yes > no


def _seed(seed: int, attempt: int) -> int:
    return derive_seed("edit", seed, attempt) if attempt else seed


def _ends(prompt: Prompt, words: str) -> tuple[str, ...]:
    """Return the stop texts: where a model that continues a text ends its sentence or begins another example."""
    return (f"\n{prompt.label}",) if "\n" in words and prompt.label else ("\n",)
