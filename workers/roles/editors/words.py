"""The words that the rule-based editor knows, and their replacements."""

import random
import re
from collections.abc import Mapping, Sequence


class Words:
    """A table from a word or phrase, in lower case, to its possible replacements."""

    def __init__(self, others: Mapping[str, Sequence[str]]) -> None:
        self._others = others
        longest_first = sorted(others, key=len, reverse=True)
        self.pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE)

    def other(self, found: str, draw: random.Random) -> str:
        """Return the replacement of ``found``, with a capital if it had one."""
        new = draw.choice(self._others[found.lower()])
        return new[0].upper() + new[1:] if found[0].isupper() else new


def _both_ways(pairs: str) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for pair in pairs.split(","):
        a, b = (word.strip() for word in pair.split("/"))
        table.setdefault(a, []).append(b)
        table.setdefault(b, []).append(a)
    return table


def _one_way(lines: str) -> dict[str, list[str]]:
    rows = (line.split(":") for line in lines.strip().splitlines())
    return {old.strip(): [new.strip() for new in others.split("/")] for old, others in rows}


OPPOSITES = Words(
    _both_ways(
        "all/some, always/never, everyone/no one, everything/nothing, more/less, most/least, greater/smaller,"
        "higher/lower, longer/shorter, faster/slower, older/younger, earlier/later, before/after, first/last,"
        "left/right, above/below, up/down, inside/outside, north/south, east/west, true/false, correct/incorrect,"
        "valid/invalid, possible/impossible, equal/unequal, odd/even, positive/negative, increase/decrease,"
        "increases/decreases, increased/decreased, add/subtract, adding/subtracting, added/subtracted,"
        "multiply/divide, multiplying/dividing, multiplied/divided, plus/minus, maximum/minimum, both/neither, yes/no,"
        "with/without, buys/sells, bought/sold, < / >, \\times/\\div, ×/÷"
    )
    | _one_way(
        """
        larger: smaller
        none: some / all
        every: no
        each: no
        any: no
        twice: three times
        half: a third
        same: opposite
        +: -
        """
    )
)
"""Replacements that change what a sentence claims."""

DENIALS = Words(
    _one_way(
        """
        is not: is
        are not: are
        was not: was
        were not: were
        has not: has
        have not: have
        can not: can
        cannot: can
        does not: does
        do not: do
        will not: will
        must not: must
        should not: should
        isn't: is
        aren't: are
        can't: can
        doesn't: does
        don't: do
        is: is not
        are: are not
        was: was not
        were: were not
        can: cannot
        will: will not
        must: must not
        should: should not
        need to: do not need to
        needs to: does not need to
        """
    )
)
"""Verbs that can be negated in place."""

SYNONYMS = Words(
    _one_way(
        """
        so: therefore / thus / hence
        so that: in order that
        so far: up to here
        therefore: so / thus / hence
        thus: so / therefore / hence
        hence: so / thus / therefore
        next: then / after that
        finally: in the end / lastly
        firstly: to begin with
        secondly: in the second place
        because: since / as
        because of: owing to
        however: but / yet
        now: at this point
        we need to: we have to / we must
        we have to: we need to / we must
        we can: it is possible to
        we know that: it is known that
        we get: we obtain
        this means that: it follows that / in other words,
        this means: it follows that
        let's: let us
        let us: let's
        in order to: to
        to find: to work out / to determine
        to determine: to find / to work out
        to calculate: to compute / to work out
        calculate: compute / work out
        compute: calculate / work out
        determine: work out / establish
        solve: work out
        identify: pick out / single out
        substitute: put in
        simplify: reduce
        simplifying: reducing
        start with: begin with
        start: begin
        starting: beginning
        begin with: start with
        equals: is equal to / comes to
        is equal to: equals / comes to
        gives: yields / makes
        resulting in: which gives
        according to: as stated by
        total: overall
        number of: count of
        amount of: quantity of
        correct answer: right answer
        correct: right
        answer is: answer comes out as
        option: choice
        must be: has to be
        approximately: about / roughly
        leads to: takes one to / brings one to
        leading to: taking one to
        big: large
        buys: purchases
        bought: purchased
        question: problem
        problem: question
        """
    )
)
"""Synonyms. They are rough: a table does not see the sentence around a word."""
