"""Any server with an OpenAI-compatible /completions endpoint: vLLM, SGLang, llama.cpp, hosted models.

In: token ids. Out: token ids, and log-probabilities in nats if the server offers them. Knows nothing about prompts'
text, items, chains or probes. The server holds the weights; the tokenizer is loaded here and must be the model's.

``server`` finds what the server can do. It takes prompts as token ids, or else as text. Scores are its
log-probabilities of named next tokens (vLLM: ``logprob_token_ids``, which uses its prefix cache), or of an echoed
prompt (slower: every prompt is computed in full). If it returns no token ids, its text is tokenised again.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, TypeVar

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.next_tokens import Prefix, Question, questions, totals
from cotfaith.workers.engines.openai.client import Client
from cotfaith.workers.engines.openai.options import parse_options, read_key, served_model
from cotfaith.workers.engines.openai.requests import billed, each
from cotfaith.workers.engines.openai.server import (
    BARE,
    ECHO,
    MALFORMED,
    NEUTRAL,
    echoed_logprobs,
    find_server,
    named_tokens,
    next_token_logprobs,
    tokenizer_of,
)
from cotfaith.workers.engines.precision import resolution_without_logits
from cotfaith.workers.engines.prefix_order import in_prefix_order
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    Scores,
    check_generate,
    check_score,
)
from cotfaith.workers.engines.stops import finish
from cotfaith.workers.text.chat_template import ChatTemplate
from cotfaith.workers.text.control_tokens import ControlTokens
from cotfaith.workers.text.joins import Joins

_MOST_TOKENS = 128
"""The most tokens whose log-probability one request may ask for: vLLM's limit."""
_SEED_BITS = 31  # every server takes this many
_ONE = {"max_tokens": 1, "temperature": 0.0}

T = TypeVar("T")
R = TypeVar("R")


class OpenAIEngine:
    """An engine that asks a server; see the module's contract."""

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        self._options = parse_options(spec)
        key = read_key(spec, self._options)
        self._server = find_server(spec, self._options, key)
        self._model = served_model(spec)
        self._tokenizer = tokenizer_of(spec)
        self._joins = Joins(self._tokenizer)
        self._control = ControlTokens(self._tokenizer, ChatTemplate(self._tokenizer, spec.chat_template).written)
        options = self._options
        self._client = Client(options.base_url, key, options.timeout_s, options.max_retries, options.concurrency)
        self.capabilities: Capabilities = self._server.capabilities
        self._usage = EngineUsage()
        self._lock = Lock()

    def usage(self) -> EngineUsage:
        """Return the work done so far; computed tokens and the price follow the server's own count."""
        return self._usage

    def notes(self) -> list[str]:
        """Return notes on what the server does not offer."""
        server, notes = self._server, []
        if not server.ids:
            notes.append("The server takes prompts as text only and tokenises them itself: ids may differ from ours.")
        if server.score_by is None:
            notes.append("The server offers no log-probabilities of chosen tokens: answers can only be generated.")
        if server.score_by == "echo":
            notes.append("The server scores by echoed prompts, each computed in full, which is slow.")
        if not server.extras:
            notes.append("The server's own sampling defaults (top-k, penalties), if it has any, may apply.")
        return notes

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt."""
        check_generate(requests, self.capabilities.max_context)
        results = self._each(self._generation, requests, lambda request: request.prompt)
        self._count(requests, generated=sum(len(g.tokens) for g in results))
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return, per request, log P(candidate | prompt) in nats, summed over a candidate's tokens."""
        check_score(requests, self.capabilities.max_context, sampled=1)
        if self._server.score_by is None:
            raise EngineError("This server offers no log-probabilities of chosen tokens.")
        scores = self._by_next_tokens(requests) if self._server.score_by == "token_ids" else self._by_echo(requests)
        self._count(requests)
        resolution = resolution_without_logits(self._options.dtype or "bfloat16")
        return [Scores(row, resolution) for row in scores]

    def _generation(self, request: GenerateRequest) -> Generation:
        sampling = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed % 2**_SEED_BITS,
        }
        stop = {"stop": list(request.stop)} if request.stop else {}
        least = {"min_tokens": request.min_tokens} if request.min_tokens else {}
        answer = self._ask(request.prompt, sampling | stop | least)
        choice = _choice(answer)
        reason = choice.get("finish_reason")
        if reason not in ("stop", "length"):
            raise EngineError(f"The server ended a request with {reason!r}; expected stop or length.")
        ids = self._ids(choice, request.prompt)
        made = (answer.get("usage") or {}).get("completion_tokens") or len(ids)
        if made < request.min_tokens:
            raise EngineError(f"The server wrote {made} tokens, expected {request.min_tokens}: it ignores min_tokens.")
        return finish(ids, request, self._eos(choice), reason, self._joins)

    def _ids(self, choice: dict[str, Any], prompt: Prefix) -> list[int]:
        """Return the generation; a server without ids returns text without the stop string and special tokens."""
        ids = choice.get("token_ids")
        if ids is None:
            ids = self._joins.tokens_after(prompt, str(choice.get("text") or ""))
        if ids is None:
            raise EngineError("The model's tokenizer cannot encode the server's text; use a server that returns ids.")
        return list(ids)

    def _eos(self, choice: dict[str, Any]) -> set[int]:
        """Return the tokens that end this text: the tokenizer's, and any that the server names."""
        stopped_by = choice.get("stop_reason")
        found = {self._tokenizer.eos_token_id, stopped_by if isinstance(stopped_by, int) else None}
        return {token for token in found if token is not None}

    def _by_next_tokens(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        asked = questions(requests, _MOST_TOKENS)
        answers: dict[Prefix, dict[int, float]] = {}
        for (prefix, _), found in zip(asked, self._each(self._next_tokens, asked, lambda one: one[0]), strict=True):
            answers.setdefault(prefix, {}).update(found)
        return totals(requests, answers)

    def _next_tokens(self, question: Question) -> dict[int, float]:
        prefix, tokens = question
        answer = self._ask(prefix, _ONE | named_tokens(tokens))
        try:
            found = next_token_logprobs(answer)
            return {token: found[token] for token in tokens}
        except MALFORMED as error:
            raise EngineError(f"The server left out requested log-probabilities ({error!r}).") from None

    def _by_echo(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        asked = list(dict.fromkeys((r.prompt, candidate) for r in requests for candidate in r.candidates))
        found = dict(zip(asked, self._each(self._echo, asked, lambda one: one[0] + one[1]), strict=True))
        return [tuple(found[r.prompt, candidate] for candidate in r.candidates) for r in requests]

    def _echo(self, pair: tuple[Prefix, Prefix]) -> float:
        prompt, candidate = pair
        answer = self._ask(prompt + candidate, _ONE | ECHO)
        try:
            found = echoed_logprobs(answer)[len(prompt) : len(prompt) + len(candidate)]
        except MALFORMED:
            found = []
        values = [value for value in found if value is not None]
        if len(values) < len(candidate):
            raise EngineError("The server's echo lacks log-probabilities of the prompt's tokens.")
        return sum(values)

    def _ask(self, prompt: Prefix, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request, count its work, and return the answer."""
        extras = NEUTRAL | BARE if self._server.extras else {}
        shown: Any = list(prompt) if self._server.ids else self._text(prompt)
        answer = self._client.post("/completions", {"model": self._model, "prompt": shown} | extras | body)
        self._bill(answer.get("usage") or {}, len(prompt))
        return answer

    def _bill(self, counted: dict[str, Any], length: int) -> None:
        with self._lock:
            self._usage = billed(self._usage, counted, self._options, length)

    def _count(self, requests: Sequence[ScoreRequest] | Sequence[GenerateRequest], generated: int = 0) -> None:
        with self._lock:
            self._usage = self._usage.with_requests(requests, generated)

    def _text(self, prompt: Prefix) -> str:
        """Return a prompt as text. A server that takes no extra fields adds the start token itself."""
        starts = prompt[0] == self._tokenizer.bos_token_id
        own = prompt[1:] if starts else prompt
        body = self._joins.prompt_text(own)
        if self._control.count(body) > self._control.count_ids(own):
            raise EngineError(
                "This server takes prompts as text only, and a text in this prompt spells a control token, which the "
                "server would read as one. Use a server that takes token ids."
            )
        return f"{self._tokenizer.bos_token}{body}" if starts and self._server.extras else body

    def _each(self, ask: Callable[[T], R], asked: Sequence[T], prompt: Callable[[T], Prefix]) -> list[R]:
        """Send all; those with a common prefix directly after one another, for the server's prefix cache."""
        return in_prefix_order(lambda ordered: each(ask, ordered, self._options.concurrency), asked, prompt)


def _choice(answer: dict[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices")
    if not choices or not isinstance(choices[0], dict):
        raise EngineError(f"Expected an answer with choices from the server, got the keys {sorted(answer)}.")
    found: dict[str, Any] = choices[0]
    return found
