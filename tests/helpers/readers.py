"""Readers without weights: asks of a stub model about one item, with a scripted engine."""

from scripted import ITEM, Scripted

from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.shard.loop import drive
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

SCORES = Capabilities(generate=True, score=True, prefill=True)
WRITES = Capabilities(generate=True, score=False, prefill=True)


class ChatCodec(ByteCodec):
    """A codec with a small chat template, whose tags are control tokens that texts can spell."""

    has_chat_template = True

    def render(self, turns, opened=True):
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns) + "<assistant>" * opened

    def plain(self, text):
        for role in ("user", "assistant", "system"):
            text = text.replace(f"<{role}>", f"&lt;{role}&gt;")
        return text


def ask_of(can=SCORES, item=ITEM, codec=None, **model):
    """Return what a reader's probe gets."""
    spec = parse_spec(
        {"models": [{"id": "j", "engine": "stub"} | model], "tasks": [{"name": "t", "generator": "addition"}]}
    )
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (item,), codec or ByteCodec())
    return work._ask(item, 0, "probe", can)


def replied(coroutine, write=lambda prompt: "", weigh=lambda prompt, word: 0.0, engine=None):
    """Run one coroutine; return its result, and the engine."""
    engine = engine or Scripted(write, weigh)
    (found,) = drive([coroutine], {"subject": engine})
    return found, engine
