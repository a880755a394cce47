"""Prompts in the terminal, as a model sees them: control tokens are marked, and hostile characters cannot act.

In: a plan. Out: text on a rich console. Questions and templates are untrusted and pass through ``terminal.py``.
"""

from rich.console import Console
from rich.text import Text

from cotfaith.cluster.fleet.deployments import SUBJECT
from cotfaith.cluster.plan.costs import CHAINS
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.prompts import ShownPrompt, shown_prompts
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.text.spelled import Piece

OPEN, CLOSE = "\N{MATHEMATICAL LEFT DOUBLE ANGLE BRACKET}", "\N{MATHEMATICAL RIGHT DOUBLE ANGLE BRACKET}"
"""The marks around a control token; the same words without them are plain text."""
_STYLES = {True: "bold cyan", False: ""}


def print_prompts(plan: Plan, out: Console) -> None:
    """Print one prompt of every kind of request, and where an equal one was printed before."""
    out.print(
        f"Prompts, token for token; control tokens are in {OPEN} {CLOSE}. A made-up chain stands for the model's.",
        soft_wrap=True,
    )
    first: dict[tuple[Piece, ...], str] = {}
    for prompt in shown_prompts(plan):
        title = _title(prompt)
        out.print()
        out.print(Text(plain_text(f"--- {title}"), "bold"), soft_wrap=True)
        if (before := first.setdefault(prompt.pieces, title)) != title:
            out.print(Text(plain_text(f"The same prompt as: {before}")), soft_wrap=True)
        else:
            out.print(Text.assemble(*map(_part, prompt.pieces)), soft_wrap=True)
        out.print(Text(plain_text(f"--> {_visible(prompt.asks)}"), "dim"), soft_wrap=True)


def _title(prompt: ShownPrompt) -> str:
    what = "the chain" if prompt.stage == CHAINS else prompt.stage
    who = prompt.model if prompt.role == SUBJECT else f"{prompt.model} as {prompt.role}"
    kinds = [] if prompt.strategy == "cot" else [prompt.strategy]
    kinds += [] if prompt.variant == PLAIN else [prompt.variant]
    under = f" under {' and '.join(kinds)}" if kinds else ""
    count = "" if prompt.like == 1 else f", 1 of {prompt.like} alike"
    return f"{what}{under}: {who}, {prompt.task}, item {prompt.item}, {prompt.n_tokens} tokens{count}"


def _part(piece: Piece) -> tuple[str, str]:
    text = plain_text(piece.text)
    return (f"{OPEN}{text}{CLOSE}" if piece.is_control else text, _STYLES[piece.is_control])


def _visible(text: str) -> str:
    return text.replace("\n", "\\n")
