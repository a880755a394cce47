"""Probes on given chains, without weights: a test provides the engine as a function of the prompt's text."""

from cotfaith.schemas.records import Answer, Chain, Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import Capabilities, EngineUsage, Generation
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

ITEM = Item("a", "Which is red?", "B", "choice", ("sky", "blood"))


class Scripted:
    """An engine that writes ``write(prompt)``, cut at stops and limit; words score ``weigh(prompt, word)``, else 0."""

    capabilities = Capabilities(generate=True, score=True, prefill=True)

    def __init__(self, write, weigh=lambda prompt, word: 0.0):
        self.write, self.weigh = write, weigh
        self.prompts = []
        """The requests of every generation."""
        self.rounds = []
        """The kind and size of every batch."""

    def generate(self, requests):
        self.rounds.append(("generate", len(requests)))
        return [self._generation(request) for request in requests]

    def _generation(self, request):
        prompt = bytes(request.prompt).decode()
        self.prompts.append(prompt)
        text = self.write(prompt)
        for stop in request.stop:
            text = text.partition(stop)[0]
        tokens = tuple(text.encode())
        cut = len(tokens) > request.max_tokens
        return Generation(tokens[: request.max_tokens], "length" if cut else "stop")

    def score(self, requests):
        self.rounds.append(("score", len(requests)))
        return [tuple(self.weigh(bytes(r.prompt).decode(), bytes(c).decode()) for c in r.candidates) for r in requests]

    def usage(self):
        return EngineUsage()

    def notes(self):
        return []


def chain_of(*steps, answer="A"):
    """Return a chain whose answer is ``answer``."""
    text = "".join(steps)
    return Chain(ITEM.id, 0, text, steps, Answer(Status.OK, answer), Status.OK, len(text), "stop", 0)


def observe(probe, chain, engines, options=None, **spec):
    """Run one probe on one chain through the shard; return its observations."""
    whole = {
        "models": [{"id": "m", "engine": "stub"}, {"id": "writer", "engine": "stub", "roles": ["editor"]}],
        "tasks": [{"name": "t", "generator": "addition"}],
        "probes": [{"name": probe, "options": options or {}}],
        "editor": {"by": "rules"},
    }
    parsed = parse_spec(whole | spec)
    work = ShardWork(parsed, parsed.models[0], parsed.tasks[0], "cot", (ITEM,), ByteCodec())
    engines = engines if isinstance(engines, dict) else {"subject": engines}
    return [row.observation for row in work.run_probes([chain], [probe], engines)]
