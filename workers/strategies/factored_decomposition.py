"""Factored decomposition: each subquestion answered in a fresh context. Radhakrishnan et al. 2023, 2.1.

In: an item, and any prefix of a chain. Out: a text in the form of CoT decomposition, written in rounds:

- the main context (question and chain so far) writes one more line. A line with a subquestion's label continues the
  chain; any other ends it. "Done" marks the end and is not part of the chain; other words stay in it.
- a fresh context has only that subquestion, with earlier answers in the place of "[answer 2]", and writes one line.

A separate context with the question, the subquestions and the answers is asked for the answer to the item. So only the
main context sees the question and the unfinished chain, and it is never asked for an answer. (A weak model may still
end with an answer in its own words.)

All tokens sampled for a chain count towards the limit. A chain with more subquestions than the spec allows is cut, just
like a chain that is too long. The paper's model writes a list of subquestions per round; here it writes one. Reasoning
models think about subquestions in the chain, and do not think about the answers to them.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotfaith.schemas.records import Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import StrategyName
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.request import Request
from cotfaith.workers.shard.rounds import together
from cotfaith.workers.strategies.base import Asking, Continuation, Continuing
from cotfaith.workers.strategies.decomposition import END, FIRST_LABEL, Decomposition
from cotfaith.workers.strategies.prompts import hash_prompts, read_prompt
from cotfaith.workers.strategies.subquestions import count_questions, open_question, opens_question
from cotfaith.workers.text.conversation import fresh_mark
from cotfaith.workers.text.templates import Templates

_Writing = Generator[list[Request], list[Any], tuple[str, Continuation, bool]]
"""It returns the text, the line that was sampled for it, and whether to continue."""
_ANSWER, _RECOMPOSE = "subanswer", "recomposition"


class FactoredDecomposition(Decomposition):
    """The strategy protocol for subquestions in separate contexts."""

    name: StrategyName = "factored_decomposition"
    summary = "Each subquestion in a context of its own. Radhakrishnan et al. 2023, 2.1."
    prompt_file = "factored_decomposition"
    prompt_hash: str | None = hash_prompts(prompt_file, _ANSWER, _RECOMPOSE)

    def continue_chains(self, ask: Asking, prefixes: Sequence[str]) -> Continuing:
        """Continue each prefix, in common rounds."""
        opening = self.prompt(ask.templates, ask.item)
        return (yield from together([_Growth(ask, opening, p.rstrip(), ask.next_seed()).run() for p in prefixes]))

    def answer_prompt(self, templates: Templates, item: Item, chain_text: str) -> str:
        """Return the prompt that shows the question and ``chain_text``, in a separate context."""
        question, earlier = templates.question(item), templates.earlier(item)
        said = [turn["content"] for turn in earlier]
        mark = fresh_mark("chain", question, templates.model.system or "", *said)
        request = read_prompt(_RECOMPOSE).replace("{chain}", mark).replace("{question}", question)
        before, _, after = templates.at_once(request, templates.answer_prefill(item), earlier).rpartition(mark)
        return before + templates.codec.plain(chain_text.rstrip()) + after


@dataclass
class _Growth:
    """One unfinished chain."""

    ask: Asking
    opening: str
    prefix: str
    seed: int
    n_tokens: int = 0
    n_samples: int = 0

    def run(self) -> Generator[list[Request], list[Any], Continuation]:
        """Write lines until the model stops, or a limit cuts the chain."""
        text, more = self.prefix or FIRST_LABEL, True
        while more:
            grown, line, more = yield from (self._answer(text) if open_question(text) else self._next_line(text))
            cut = line.status is not Status.OK or line.finish_reason == "forced"
            text, more = text if cut and not line.text.strip() else grown, more and not cut
        new = "" if text == FIRST_LABEL else text[len(self.prefix) :]
        return replace(line, text=new, n_tokens=self.n_tokens, seed=self.seed)

    def _answer(self, text: str) -> _Writing:
        request = read_prompt(_ANSWER).replace("{question}", self.ask.codec.plain(open_question(text) or ""))
        line = yield from self._sample(self.ask.templates.at_once(request, "Answer:"))
        return f"{text}\nAnswer {count_questions(text)}:{line.text.rstrip()}", line, True

    def _next_line(self, text: str) -> _Writing:
        joint = "" if open_question(text) == "" else "\n"
        line = yield from self._sample(self.opening + self.ask.codec.plain(text) + joint)
        said = line.text.strip()
        if joint and opens_question(said) and count_questions(text) >= self._most:
            return text, self.ask.cut(f"The limit of {self._most} subquestions cut the chain."), False
        if joint and (not said or said.startswith(END)):
            return text, line, False
        return text + joint + line.text.rstrip(), line, bool(said) and (not joint or opens_question(said))

    def _sample(self, prompt: str) -> Generator[list[Request], list[Any], Continuation]:
        left = self.ask.sampling.max_tokens - self.n_tokens
        if left <= 0:
            return self.ask.cut()
        self.n_samples += 1
        seed = derive_seed(self.seed, self.n_samples)
        line: Continuation
        (line,) = yield [self.ask.sample(prompt, ("\n", *self.ask.templates.chain_stops), seed, left)]
        self.n_tokens += line.n_tokens or 0
        return line

    @property
    def _most(self) -> int:
        return self.ask.sampling.max_subquestions
