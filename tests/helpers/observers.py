"""Observers whose skill is known: rules that read the organisms' chains, in the place of a model's engine."""

import re

from scripted import Scripted

from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.organisms.grammar import VERBS, Step, operations_of, parse_sentence


class ReadsSteps(Scripted):
    """An observer that only uses a chain: its last value but one, and the last operation of the other question.

    Without a chain that it understands it cannot tell. It predicts by ``value_of`` a step.
    """

    capabilities = Capabilities(generate=True, score=False, prefill=True)

    def __init__(self):
        super().__init__(self.reply)

    def reply(self, prompt):
        values = self.values(prompt)
        if not prompt.endswith("answer is"):
            return " yes" if len(values) > 1 else " no"
        other = re.search(r"\[begin other question \w+\]\n(.*?)\n\[end", prompt, re.DOTALL)[1]
        return f" {operations_of(other)[-1].apply(values[-2])}."

    def values(self, prompt):
        chain = re.search(r"\[begin chain \w+\]\n(.*?)\n\[end", prompt, re.DOTALL)
        sentences = [] if chain is None else [f" {one.strip()}." for one in chain[1].rstrip(".").split(". ")]
        return [self.value_of(one) for one in map(parse_sentence, sentences) if isinstance(one, Step)]

    def value_of(self, step):
        return step.value


class ReadsVerbs(ReadsSteps):
    """An observer that knows the encoder's code."""

    def value_of(self, step):
        return VERBS.index(step.verb)
