"""A server on loopback with only /chat/completions, as hosted models have; what it takes is configurable.

Its model adds the numbers of a question and writes a sentence for each. After a chain it answers the chain's last
number, so an answer after a part of a chain is another answer. Asked about the alphabet, it replies "A".
"""

import json
import re

from fake_server import Fake

CHAT_PATH = "/v1/chat/completions"
SWITCH = "think"
"""The field that turns a model's thinking off."""


class ChatOnly(Fake):
    """One server.

    ``takes``: the fields that it does not refuse. ``structured``: None refuses the field, False ignores it. ``thinks``:
    the field that has the thoughts, or "tags", or "hidden". ``say``: messages -> text, or (status, body, headers).
    """

    def __init__(self, models=("host/model",), key=None, takes=None, structured=True, thinks=None, say=None):
        super().__init__(models, key)
        self.takes = {"max_tokens", "temperature", "top_p", "seed"} if takes is None else set(takes)
        self.structured, self.thinks, self.say = structured, thinks, say or sums

    def answer(self, method, path, headers, body):
        planned = method == "POST" and self.plan
        if planned or path != CHAT_PATH:
            return super().answer(method, path, headers, body)
        with self.lock:
            self.seen.append((method, path, body))
        if self.key is not None and headers.get("Authorization") != f"Bearer {self.key}":
            return 401, {"error": {"message": f"Incorrect API key: {headers.get('Authorization')}"}}, {}
        return self.chat(body)

    def chat(self, body):
        ours = {"max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "response_format"}
        refused = (body.keys() & ours) - self.takes - ({"response_format"} if self.structured is not None else set())
        if refused:
            return 400, {"error": {"message": f"Unsupported parameter: {sorted(refused)[0]!r}"}}, {}
        told = self.say(body["messages"])
        if not isinstance(told, str):
            return told
        form = body.get("response_format") if self.structured else None
        if form:
            words = form["json_schema"]["schema"]["properties"]["answer"]["enum"]
            told = json.dumps({"answer": told if told in words else words[0]})
        thinking = bool(self.thinks) and body.get(SWITCH, True)
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        return 200, reply(told, self.thinks if thinking else None, limit), {}


def reply(told, thinks=None, limit=None, **choice):
    """Return a reply's JSON; a word is a token. With ``thinks``, the thought is ``told`` and the reply "The end."."""
    words = re.findall(r"\s*\S+", told)
    cut = limit is not None and len(words) > limit
    text = "".join(words[:limit])
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 7, "completion_tokens": min(len(words), limit or len(words))}
    if thinks == "tags":
        message["content"] = f"<think>{text}</think>The end." if not cut else f"<think>{text}"
    elif thinks == "hidden":
        message["content"] = "The end."
        usage["completion_tokens_details"] = {"reasoning_tokens": len(words)}
    elif thinks is not None:
        message |= {"content": None if cut else "The end.", thinks: text}
    return {
        "choices": [{"message": message, "finish_reason": "length" if cut else "stop"} | choice],
        "usage": usage,
    }


def sums(messages):
    """Return what the model says to ``messages``."""
    last, chain = messages[-1]["content"], "".join(m["content"] for m in messages if m["role"] == "assistant")
    if "alphabet" in last:
        return "A"
    if "Reply with only" in last:
        found = re.findall(r"\d+", chain)
        return found[-1] if found else "0"
    total, steps = 0, []
    for number in map(int, re.findall(r"\d+", messages[-1]["content"])):
        total += number
        steps.append(f"Adding {number} gives {total}.")
    return " ".join(steps)
