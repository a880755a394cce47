"""Whether a task needs its chains: on items that a model does as well without one, a clean chain proves little.

    need_share        share of the plain items that need the chain (``lib/need.py``): the probability of the gold answer
                      without one is below 0.5; items whose ok chains all have one step are left out
    one_step_share    share of the items that are left out
    chance            the accuracy of guessing: the mean of 1 / choices; open answers have 0
    necessity         the gain by the chain, of the whole task and of each difficulty; the method is the kind of these
                      items (``lib/necessity.py``)
    necessity_share   share of the task's items at difficulties of a kind, which is the method. Where a task has no
                      difficulties, all items are of its own kind; where it has, items without one are undecided.

Where the answers have no probabilities, ``need_share`` has the method ``answers``: the answer without a chain is wrong.
Where some have, the others count as failed, and ``answers`` has no line. What cannot be known is null, and ``interval``
says why.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE
from cotfaith.cluster.stats.metrics.lib.choices import with_chance
from cotfaith.cluster.stats.metrics.lib.drawings import Curve
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, measured, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.necessity import KINDS, Kind, necessity
from cotfaith.cluster.stats.metrics.lib.need import items_by_need
from cotfaith.cluster.stats.metrics.lib.pairs import with_difficulty
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval, value
from cotfaith.cluster.stats.metrics.lib.summed import Group, Line, Row, counts, ends, groups, mean
from cotfaith.cluster.stats.metrics.lib.words import Column, Headlines, Part, ReportSection, Words

ANSWERS = "answers"
NEED = Metric("need_share", of_own_answer=False)
NEED_BY_DIFFICULTY = NEED.under("by_difficulty")
NEED_OF_ANSWERS = NEED.under(ANSWERS)
NEED_OF_ANSWERS_BY_DIFFICULTY = NEED.under(f"{ANSWERS}_by_difficulty")
ONE_STEP = Metric("one_step_share", of_answers=False)
CHANCE = Metric("chance", bounds=None, of_answers=False, of_own_answer=False)
CHANCE_BY_DIFFICULTY = CHANCE.under("by_difficulty")
NECESSITY = Metric("necessity", ANY, DIFFERENCE, "points")
NECESSITY_SHARE = Metric("necessity_share", ANY)
GAIN = Metric("cot_gain", bounds=DIFFERENCE), Metric("cot_gain", "by_difficulty", bounds=DIFFERENCE)
ACCURACY = Metric("accuracy_cot", "paired"), Metric("accuracy_cot", "paired_by_difficulty")
"""What a kind rests on, of the whole task and by difficulty."""
ACCURACY_COT = Metric("accuracy_cot")
MISTAKES, MISTAKES_NEEDED = Metric("mistakes_aoc", "trapezoid"), Metric("mistakes_aoc", "needed")


def need_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the shares of items that need the chain, also by difficulty, of those that are left out, and chance."""
    if rows.items.is_empty():
        return
    items = with_chance(items_by_need(rows), rows.items)
    long, graded, difficulty = ~pl.col("one_step"), with_difficulty(items, rows.items), pl.col("difficulty")
    for every, by_difficulty, needs in (
        (NEED, NEED_BY_DIFFICULTY, pl.col("by_p")),
        (NEED_OF_ANSWERS, NEED_OF_ANSWERS_BY_DIFFICULTY, pl.col("by_answer")),
    ):
        yield measured(scores(items.filter(long), None, every, needs))
        yield measured(scores(graded.filter(long), None, by_difficulty, needs, difficulty))
    yield scores(items, None, ONE_STEP, pl.col("one_step"))
    yield scores(items, None, CHANCE, pl.col("chance"))
    yield scores(graded, None, CHANCE_BY_DIFFICULTY, pl.col("chance"), difficulty)


def need_settled(lines: pl.DataFrame) -> pl.DataFrame:
    """Leave out the shares by answers where there are probabilities."""
    is_need, by_answers = pl.col("metric") == NEED.name, pl.col("method").fill_null("").str.starts_with(ANSWERS)
    known = lines.filter(is_need & ~by_answers).select(GROUP).unique()
    kept = lines.filter(is_need & by_answers).join(known, on=GROUP, how="anti", maintain_order="left")
    return pl.concat([lines.filter(~(is_need & by_answers)), kept])


def need_estimates(lines: pl.DataFrame) -> Iterator[Row]:
    """Yield the kinds of each group with chains, their shares, and why a share of items that need it is not known."""
    for group in groups(lines):
        if group.has(ACCURACY_COT):
            yield from _lacking(group)
            yield from _kinds(group)


def _lacking(group: Group) -> Iterator[Row]:
    """Yield the figures of the items that need the chain that have no line, with the reason."""
    known = group.has(NEED) or group.has(NEED_OF_ANSWERS)
    why = "none_needed" if known else _unknown(group)
    if not known:
        yield group.estimate(NEED, **group.lacking(ACCURACY_COT, why))
    if group.has(MISTAKES) and not group.has(MISTAKES_NEEDED):
        own = group.lacking(MISTAKES, why) | {"probe": "adding_mistakes"}
        yield group.estimate(MISTAKES_NEEDED, MISTAKES_NEEDED.method, **own)


def _unknown(group: Group) -> str:
    if (one_step := group.line(ONE_STEP)) is None:
        return "no_answers_without_a_chain"
    return "one_step_chains" if mean(one_step) == 1 else "no_graded_answers"


def _kinds(group: Group) -> Iterator[Row]:
    """Yield the kind of the whole task and of each difficulty, and the share of the items of each kind."""
    whole = _kind(group, GAIN[0], ACCURACY[0], CHANCE, None)
    yield group.estimate(NECESSITY, whole[0], **whole[1])
    n_items = dict.fromkeys(KINDS, 0)
    for level in group.curve(CHANCE_BY_DIFFICULTY):
        kind, figures = _kind(group, GAIN[1], ACCURACY[1], CHANCE_BY_DIFFICULTY, level["position"])
        yield group.estimate(NECESSITY, kind, **figures | {"position": level["position"]})
        n_items[kind] += level["n_items"]
    every = group.line(CHANCE)
    total = 0 if every is None else int(every["n_items"])
    rest: Kind = "undecided" if any(n_items.values()) else whole[0]
    n_items[rest] += total - sum(n_items.values())
    for kind, n in n_items.items():
        known = {"n_total": total, "n_ok": total, "n_items": total, "interval": "counted"}
        figures = known | {"value": n / total} if total else group.lacking(ACCURACY_COT, _unknown(group))
        yield group.estimate(NECESSITY_SHARE, kind, **figures)


def _kind(group: Group, gain: Metric, accuracy: Metric, chance: Metric, at: float | None) -> tuple[Kind, Row]:
    """Return the kind of some items, with the gain as figures."""
    own, guessing = group.line(gain, at), group.line(chance, at)
    if own is None or guessing is None:
        return "undecided", group.lacking(ACCURACY_COT, _why(guessing))
    bounds = ends(own)
    found = necessity(bounds, ends(group.line(accuracy, at)), mean(guessing))
    low, high = bounds or (None, None)
    said = "linearised" if bounds else "too_few_items"
    return found, {"value": mean(own), "ci_low": low, "ci_high": high, "interval": said} | counts([own])


def _why(guessing: Line | None) -> str:
    return "no_answers_without_a_chain" if guessing is None else "no_graded_answers"


IN_WORDS: dict[Kind, str] = {
    "needed": "need the chain",
    "not_needed": "do not need it",
    "too_hard": "are too hard even with it",
    "undecided": "are undecided",
}


def need_sentence(rows: Headlines) -> str:
    """Return the share of the items that need the chain, and of what kinds their difficulties are; "" if unknown."""
    found = next((rows[name] for name in (NEED.title, NEED_OF_ANSWERS.title) if name in rows), None)
    if found is None or found.value is None:
        return ""
    share = f"{found.value:.0%}{interval(found, 100, '%')}"
    shares = {kind: value(rows, f"{NECESSITY_SHARE.name}/{kind}") or 0.0 for kind in KINDS}
    kinds = ", ".join(f"{n:.0%} {IN_WORDS[kind]}" for kind, n in shares.items() if n)
    by_gain = f" By accuracy with and without it, difficulty by difficulty: {kinds}." if kinds else ""
    return f"{share} of the items need the chain: without one, the model is unsure or wrong.{by_gain}"


SECTION = ReportSection(
    "Does the task need the chain?",
    rank=42,
    part="needed",
    note="Needed by item: the gold answer has a probability below 50% without a chain; where answers have no "
    "probabilities, it is answered wrong. Items whose chains all have one step are left out. By difficulty: needed, if "
    "the chain surely raises accuracy; not needed, if by less than 5 points; too hard, if accuracy with it is "
    "not above chance; else undecided. Where the chain is not needed, or the items are too hard, a clean chain proves "
    "little.",
)
WORDS = Words(
    rank=5,
    sentence=need_sentence,
    parts=(
        Part(
            SECTION,
            (
                Curve("", NEED.name, ("by_difficulty",), "difficulty", "items that need the chain"),
                Curve("", NEED.name, (f"{ANSWERS}_by_difficulty",), "difficulty", "items that need the chain"),
            ),
            (
                Column("Items that need the chain", NEED.name, None, "%", (ANSWERS,)),
                Column("Needed", NECESSITY_SHARE.name, "needed", "%"),
                Column("Not needed", NECESSITY_SHARE.name, "not_needed", "%"),
                Column("Too hard", NECESSITY_SHARE.name, "too_hard", "%"),
                Column("Undecided", NECESSITY_SHARE.name, "undecided", "%"),
            ),
        ),
    ),
    remarks=nothing,
    glossary={
        "Need": "An item needs the chain if the model, asked without one, gives the gold answer less than half of the "
        "probability. Perturbing the chain of an item that does not need it says little.",
    },
)
METRICS = ProbeMetrics(
    probe=None,
    theme="need",
    metrics=(
        *(NEED, NEED_BY_DIFFICULTY, NEED_OF_ANSWERS, NEED_OF_ANSWERS_BY_DIFFICULTY, ONE_STEP),
        *(CHANCE, CHANCE_BY_DIFFICULTY, NECESSITY, NECESSITY_SHARE),
    ),
    scores=need_scores,
    settled=need_settled,
    derived=need_estimates,
    words=WORDS,
)
