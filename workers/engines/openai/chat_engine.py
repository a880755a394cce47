"""Any server with only /chat/completions, as most hosted models have: messages in, whole replies out.

In: prompts as whole turns (``workers/text/turns``). Out: replies, or thoughts where a prompt asks for one. It offers no
log-probabilities and continues no turn that has begun. The server counts the tokens. A request that fails is a reply
with a status, so no other request of its batch is sent, and paid for, twice.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from cotfaith.schemas.errors import ContextOverflowError, EngineError, RefusedError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.openai.chat_reply import failed, generation_of, read_reply
from cotfaith.workers.engines.openai.chat_server import AROUND, CHAT, find_chat, structured_answer
from cotfaith.workers.engines.openai.client import Client
from cotfaith.workers.engines.openai.options import parse_options, read_key, served_model
from cotfaith.workers.engines.openai.requests import billed, each
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    check_generate,
)
from cotfaith.workers.text.turns import Messages, read_turns

_SEED_BITS = 31  # every server takes this many
_FILTERED = re.compile(r"content.?(filter|policy|management)|moderation|safety.?(system|policy)", re.I)


class ChatEngine:
    """An engine that asks a chat server; see the module's contract."""

    capabilities: Capabilities = CHAT

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        self._options = options = parse_options(spec)
        key = read_key(spec, options)
        self._server = find_chat(spec, options, key)
        self._model = served_model(spec)
        self._thinks, self._channel = spec.thinking != "none", options.channel or "reasoning"
        self._client = Client(options.base_url, key, options.timeout_s, options.max_retries, options.concurrency)
        self._usage = EngineUsage()
        self._lock = Lock()

    def usage(self) -> EngineUsage:
        """Return the work done so far, by the server's own count."""
        return self._usage

    def notes(self) -> list[str]:
        """Return notes on what the server does not offer."""
        notes = []
        if "seed" not in self._server.takes:
            notes.append("The server takes no seeds: chains and answers cannot be sampled again (rows have no seed).")
        else:
            notes.append("A hosted server may follow seeds only roughly: sampling again can give other texts.")
        for name in ("temperature", "top_p"):
            if name not in self._server.takes:
                notes.append(f"The server takes no {name}: chains and answers, which should be greedy, have its own.")
        if not self._server.structured:
            notes.append("Answers are read from free text: the server is not asked for structured output.")
        return notes

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Ask for each reply; a request that fails gives a generation whose status says so."""
        check_generate(requests, None)
        return each(self._generation, requests, self._options.concurrency)

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Raise ``EngineError``: a chat endpoint gives no log-probabilities of chosen answers."""
        raise EngineError("A chat server offers no log-probabilities of chosen answers: set answer_by: generate.")

    def _generation(self, request: GenerateRequest) -> Generation:
        try:
            asked = read_turns(request.prompt)
            if request.min_tokens:
                raise EngineError("A chat server takes no min_tokens.")
            answer = self._client.post("/chat/completions", self._body(asked, request))
            self._bill(answer.get("usage"))
            seeded = "seed" in self._server.takes
            return generation_of(read_reply(answer), request, asked.thought, seeded, self._channel)
        except ContextOverflowError as error:
            return failed(Status.CONTEXT_OVERFLOW, str(error))
        except EngineError as error:
            withheld = isinstance(error, RefusedError) and _FILTERED.search(str(error)) is not None
            return failed(Status.REFUSED if withheld else Status.ENGINE_ERROR, f"{type(error).__name__}: {error}")

    def _body(self, asked: Messages, request: GenerateRequest) -> dict[str, Any]:
        sampling = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed % 2**_SEED_BITS,
        }
        limited = self._server.structured and request.one_of
        most = request.max_tokens + (AROUND if limited else 0)
        return (
            {"model": self._model, "messages": list(asked.turns), self._server.limit: most}
            | {name: value for name, value in sampling.items() if name in self._server.takes}
            | self._options.fields
            | (self._options.without_thinking if self._thinks and not asked.thought else {})
            | (structured_answer(request.one_of) if limited else {})
        )

    def _bill(self, counted: Any) -> None:
        counted = counted if isinstance(counted, dict) else {}
        with self._lock:
            usage = billed(self._usage, counted, self._options)
            self._usage = replace(
                usage,
                prompt_tokens=usage.prompt_tokens + (counted.get("prompt_tokens") or 0),
                generated_tokens=usage.generated_tokens + (counted.get("completion_tokens") or 0),
            )
