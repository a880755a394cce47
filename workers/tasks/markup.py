"""The place of the chain in a text with reasoning markup such as <think> ... </think>.

Some chat templates open the thought themselves (DeepSeek-R1), so a text may have only the closing mark: the chain is
the text before it. A text with only an opening mark is a cut thought. The text after the closing mark is the reply and
not part of the chain. Knows nothing about records.
"""

import re
from typing import NamedTuple

_NAMES = (
    "think|thinking|thought|thoughts|reasoning|reason|reflection|scratchpad|analysis|cot|chain_of_thought"
    "|seed:think|longcat_think|seed:cot_budget_reflect|internal_monologue"
)
_OPEN = re.compile(
    rf"(?:<|&lt;)(?:{_NAMES})(?:\s[^<>]*)?(?:>|&gt;)|(?-i:\[THINK\])|◁think▷|<\|(?:begin_of_thought|START_THINKING|begin_of_think|inner_prefix)\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]{0,40}<\|message\|>"
    r"|\Aanalysis(?=(?s:.*)assistantfinal)|<unused94>(?:thought)?|<\|channel>thought",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"(?:<|&lt;)/(?:{_NAMES})\s*(?:>|&gt;)|(?-i:\[/THINK\])|◁/think▷|<\|(?:end_of_thought|END_THINKING|end_of_think|inner_suffix)\|>"
    r"|(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>final[^<]{0,40}<\|message\|>|<\|end\|>"
    r"|assistantfinal|<unused95>|<channel\|>",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?:\s|<\|[\w ]{1,40}\|>|<s>|<bos>|assistant|model)*", re.IGNORECASE)
"""What may precede an opening mark: the end of a prompt."""


class Span(NamedTuple):
    """A piece of a text, from ``start`` up to ``end``."""

    start: int
    end: int


def reply_start(text: str) -> int:
    """Return where the reply begins, after the thought: 0 without markup; raise ``ValueError`` as for the thought."""
    if reasoning_span(text) is None:
        return 0
    closed = _CLOSE.search(text)
    assert closed is not None, "a thought that can be read is closed"
    return closed.end()


def reasoning_span(text: str) -> Span | None:
    """Return the place of the chain; None: the text has no markup, and all of it is the chain.

    Raises:
        ValueError: the thought is cut, empty, or ambiguous; the message says which.

    """
    opened, closed = list(_OPEN.finditer(text)), list(_CLOSE.finditer(text))
    if not opened and not closed:
        return None
    if not closed:
        raise ValueError(f"opens {opened[0].group()!r} and never closes it, so its thought was cut")
    if len(closed) > 1 or len(opened) > 1:
        raise ValueError(f"has several marks of reasoning such as {closed[0].group()!r}")
    start = opened[0].end() if opened else 0
    if opened and not _BEFORE.fullmatch(text, 0, opened[0].start()):
        raise ValueError(f"has text before its {opened[0].group()!r}")
    inner = text[start : closed[0].start()]
    if not inner.strip():
        raise ValueError("has a thought without words")
    start += len(inner) - len(inner.lstrip())
    return Span(start, start + len(inner.strip()))
