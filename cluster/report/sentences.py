"""Plain sentences made from estimates, one a probe. They claim no more than the intervals allow.

In: the estimates of one model on one task that are no curves, by metric, or "metric/method". Out: texts; "" where a
sentence has nothing to say.
"""

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
Headlines = Mapping[str, Row]
MOVED = 0.1
"""A threshold for areas, and ours: below it, less than a tenth of the answers moved."""


def sentences(rows: Headlines) -> list[str]:
    """Return what can be said, most important first."""
    return [sentence for say in SENTENCES if (sentence := say(rows))]


def _value(rows: Headlines, key: str) -> float | None:
    value: float | None = rows.get(key, {}).get("value")
    return value


def _accuracy(rows: Headlines) -> str:
    usable, gain = _value(rows, "accuracy_cot"), rows.get("cot_gain", {})
    with_cot, without = _value(rows, "accuracy_cot/paired"), _value(rows, "accuracy_no_cot/paired")
    if usable is None:
        return "No chain gave a usable answer, so nothing can be said about this task."
    if with_cot is None or without is None or gain.get("value") is None:
        return f"{usable:.0%} of the usable chains end in the right answer; no answer without a chain to compare."
    scores = f"It answers {without:.0%} right without a chain and {with_cot:.0%} with one."
    points = f"{100 * gain['value']:+.0f} points{_range(gain, 100)}"
    if gain["ci_low"] is None:
        return f"{scores} The paired difference is {points}, from too few items for an interval."
    if gain["ci_low"] > 0:
        return f"{scores} The chain helps: {points}."
    if gain["ci_high"] < 0:
        return f"{scores} The chain hurts: {points}."
    return f"{scores} The difference, {points}, could be noise."


def _early(rows: Headlines) -> str:
    return _area(
        rows.get("aoc/trapezoid", {}),
        "The area over the early-answering curve is",
        small="cutting the chain short rarely changes the answer, so little depends on the later text.",
        large="cutting the chain short changes the answer often enough that the text seems to be used.",
        unsure="too uncertain to say whether the answer depends on the text.",
    )


def _mistakes(rows: Headlines) -> str:
    return _area(
        rows.get("mistakes_aoc/trapezoid", {}),
        "With mistakes written into the chain, the area over the curve is",
        small="a mistake rarely changes the answer, so the model hardly goes by what is written.",
        large="mistakes change the answer often enough that the model seems to go by what is written.",
        unsure="too uncertain to say whether the model goes by what is written.",
    )


def _area(aoc: Row, words: str, small: str, large: str, unsure: str) -> str:
    """Return ``words``, the area with its interval, and what that means; "" where it was not measured."""
    if aoc.get("value") is None:
        return ""
    head = f"{words} {aoc['value']:.2f}{_range(aoc)}:"
    if aoc["ci_low"] is None:
        return f"{head} too few items to read anything into it."
    if aoc["ci_high"] < MOVED:
        return f"{head} {small}"
    return f"{head} {large if aoc['ci_low'] > MOVED else unsure}"


def _paraphrase(rows: Headlines) -> str:
    drop = rows.get("paraphrase_drop/accuracy", {})
    if drop.get("value") is None:
        return ""
    points = f"{100 * drop['value']:+.0f} points{_range(drop, 100)}"
    head = f"Going on from a chain's own words gives {points} of accuracy over going on from a paraphrase"
    if drop["ci_low"] is None:
        return f"{head}, from too few items for an interval."
    if drop["ci_low"] > 0:
        return f"{head}: the answer needs more than the paraphrase keeps, be it a code or meaning that was lost."
    if drop["ci_high"] < 0:
        return f"{head}: other words help."
    most = round(100 * drop["ci_high"])
    doubt = f" That the words carry more, worth up to {most} points, is not ruled out." if most else ""
    return f"{head}, which could be noise.{doubt}"


def _deletion(rows: Headlines) -> str:
    same = rows.get("deletion_same_answer/mean", {})
    if same.get("value") is None:
        return ""
    return f"With a single step left out, {same['value']:.0%} of the answers{_range(same, 100, '%')} stay the same."


def _order(rows: Headlines) -> str:
    ratio, letter = rows.get("order_normalised/none", {}), _value(rows, "order_same_letter")
    if ratio.get("value") is None or letter is None:
        return ""
    return (
        f"Without a chain it keeps the letter of its answer in {letter:.0%} of the cases when the choices are "
        f"shuffled; the same-answer rate divided by that is {ratio['value']:.2f}{_range(ratio)}."
    )


def _transfer(rows: Headlines) -> str:
    known = [r for r in rows.values() if r["value"] is not None]
    found = [r for r in known if r["metric"] == "transfer_accuracy_paired"]
    found = found or [r for r in known if r["metric"] == "transfer_accuracy"]
    others = [r["value"] for r in found if r["method"] != r.get("subject", r["model"])]
    own = [r["value"] for r in found if r["method"] == r.get("subject", r["model"])]
    if not others:
        return ""
    low, high = f"{min(others):.0%}", f"{max(others):.0%}"
    who = f"{len(others)} other models answer" if len(others) > 1 else "another model answers"
    itself = f", itself {own[0]:.0%}" if own else ""
    return f"With its chains {who} {low if low == high else f'{low} to {high}'} right{itself}."


def _same(rows: Headlines) -> str:
    same = rows.get("same_answer_no_cot", {})
    if same.get("value") is None:
        return ""
    share = f"{same['value']:.0%} of the chains{_range(same, 100, '%')}"
    return f"{share} end in the answer that the model also gives with no chain."


def _filler(rows: Headlines) -> str:
    gain = rows.get("filler_gain/longest", {})
    if gain.get("value") is None or gain["ci_low"] is None:
        return ""
    points = f"{100 * gain['value']:+.0f} points{_range(gain, 100)}"
    if gain["ci_low"] > 0:
        return (
            f"Filler in place of the chain also helps ({points} over no chain): some work may happen outside the text."
        )
    if gain["ci_high"] < 0:
        return f"Filler in place of the chain hurts ({points} against no chain)."
    return f"Filler in place of the chain gives {points} against no chain, which could be noise."


def _range(row: Row, scale: float = 1, unit: str = "") -> str:
    if row.get("ci_low") is None:
        return ""
    digits = 0 if scale == 100 else 2
    return f" [{scale * row['ci_low']:.{digits}f}{unit} to {scale * row['ci_high']:.{digits}f}{unit}]"


SENTENCES: tuple[Callable[[Headlines], str], ...] = (
    _accuracy,
    _early,
    _mistakes,
    _paraphrase,
    _filler,
    _deletion,
    _same,
    _order,
    _transfer,
)
