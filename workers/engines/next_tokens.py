"""Scores as queries for single next tokens.

The log-probability of a candidate is a sum over its tokens. Each term is one query: the log-probability of token t
after prefix p. Candidates and prompts with a common prefix share its queries, and no query is repeated. Knows nothing
about backends.
"""

from collections.abc import Mapping, Sequence

from cotfaith.workers.engines.protocol import ScoreRequest

Prefix = tuple[int, ...]
Wanted = dict[Prefix, set[int]]
"""Prefix -> the next tokens whose log-probability is requested."""
Answers = Mapping[Prefix, Mapping[int, float]]
"""Prefix -> next token -> its log-probability in nats."""
Question = tuple[Prefix, tuple[int, ...]]
"""A prefix, and the next tokens whose log-probability is requested."""


def wanted_tokens(requests: Sequence[ScoreRequest]) -> Wanted:
    """Return the queries, without repeats."""
    wanted: Wanted = {}
    for request in requests:
        for candidate in request.candidates:
            for n, token in enumerate(candidate):
                wanted.setdefault(request.prompt + candidate[:n], set()).add(token)
    return wanted


def questions(requests: Sequence[ScoreRequest], most_tokens: int) -> list[Question]:
    """Return every query, with at most ``most_tokens`` each; ``prefix_order`` brings them in order."""
    return [
        (prefix, tuple(tokens[n : n + most_tokens]))
        for prefix, tokens in ((prefix, sorted(found)) for prefix, found in wanted_tokens(requests).items())
        for n in range(0, len(tokens), most_tokens)
    ]


def totals(requests: Sequence[ScoreRequest], answers: Answers) -> list[tuple[float, ...]]:
    """Return, per request, log P(candidate | prompt) in nats."""

    def total(prompt: Prefix, candidate: Prefix) -> float:
        return sum(answers[prompt + candidate[:n]][token] for n, token in enumerate(candidate))

    return [tuple(total(request.prompt, candidate) for candidate in request.candidates) for request in requests]
