"""Needs in the terminal and in the report, in words; what has no value has its reason, and ends may be missing."""

from estimate_rows import estimate
from rich.console import Console

from cotfaith.cluster.cli.estimate_tables import _interval
from cotfaith.cluster.cli.necessity_table import necessity_table
from cotfaith.cluster.report.columns import shown_cell
from cotfaith.cluster.stats.metrics import METRICS


def shares(model="m", **kinds):
    counted = {"ci_low": None, "ci_high": None, "interval": "counted", "model": model}
    return [estimate("necessity_share", method=kind, value=n, **counted) for kind, n in kinds.items()]


def shown(*rows):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(necessity_table(rows))
    return " ".join(capture.get().split())


def test_kinds_are_words():
    text = shown(
        estimate("necessity", method="not_needed"),
        *shares(needed=0.0, not_needed=0.25, too_hard=0.75, undecided=0.0),
        estimate("need_share", method="answers", value=0.5),
        estimate("no_cot_horizon", value=2.5, ci_low=1.5, ci_high=None),
    )
    assert "m t not needed 50% not needed 25% 2.5 40%–60% too hard 75% 1.5–?" in text


def test_what_has_no_value_says_why():
    beyond = {"value": None, "ci_low": 8.0, "ci_high": None, "interval": "beyond_range: above 8"}
    text = shown(
        estimate("necessity", method="needed"),
        estimate("need_share", value=None, ci_low=None, ci_high=None, interval="one_step_chains"),
        estimate("no_cot_horizon", **beyond),
    )
    assert "all chains have one step" in text.replace("\n", " ")
    assert "above 8" in text
    assert shown_cell(estimate("no_cot_horizon", **beyond), "").ok == "20/20, above 8"


def test_what_is_withheld_or_not_known_is_not_shown_as_a_kind():
    unknown = estimate("necessity", method="undecided", value=None, ci_low=None, ci_high=None)
    assert necessity_table([unknown]).row_count == 0
    assert "withheld" in shown(estimate("necessity", method="needed", value=None, withheld="because"))


def test_text_of_others_is_no_markup():
    assert "[red]m" in shown(estimate("necessity", method="needed", model="[red]m"))


def test_an_interval_with_one_end_is_no_interval_in_a_cell():
    half = estimate("no_cot_horizon", value=2.5, ci_low=1.5, ci_high=None)
    assert _interval(half) == "2.50"
    assert shown_cell(half, "").interval == "no interval"


def test_sentences_say_no_more_than_is_known():
    rows = [estimate("need_share"), *shares(needed=0.6, not_needed=0.0, too_hard=0.4, undecided=0.0)]
    need = {r.metric if r.method is None else f"{r.metric}/{r.method}": r for r in rows}
    said = METRICS["need"].words.sentence
    assert said(need).endswith("difficulty by difficulty: 60% need the chain, 40% are too hard even with it.")
    assert said({"need_share": need["need_share"]}).endswith("without one, the model is unsure or wrong.")
    assert said({}) == ""
    beyond = estimate("no_cot_horizon", value=None, interval="beyond_range: above 8")
    horizon, trend = METRICS["horizon"].words.sentence, METRICS["difficulty"].words.sentence
    assert horizon({"no_cot_horizon": beyond}).endswith("outside the tested difficulties: above 8.")
    assert horizon({"no_cot_horizon": estimate("no_cot_horizon", value=None, interval="one_difficulty")}) == ""
    flat = estimate("difficulty_trend", method="mistakes_aoc", value=0.01, ci_low=-0.1, ci_high=0.1)
    assert "neither surely rises nor falls" in trend({"difficulty_trend/mistakes_aoc": flat})
    unknown = estimate("difficulty_trend", method="mistakes_aoc/needed", value=None)
    both = {"difficulty_trend/mistakes_aoc/needed": unknown, "difficulty_trend/mistakes_aoc": flat}
    assert trend(both).startswith("The effect of mistakes")
    alone = estimate("difficulty_trend", method="mistakes_aoc", value=None)
    assert trend({"difficulty_trend/mistakes_aoc": alone}) == ""
