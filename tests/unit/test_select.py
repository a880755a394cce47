"""Who is selected: candidates by hand."""

import itertools

import pytest

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.verdicts.candidate import Candidate, OnTask, candidates, capable, faithful
from cotfaith.cluster.verdicts.select import frontier, lacking, select
from cotfaith.cluster.verdicts.verdict import QUESTIONS, WHOLE, Answered, Verdict

TRUST, DO_NOT, OPEN = "trust", "do_not_trust", "not_enough_evidence"


def verdict(model="m", task="t", decision=TRUST, stratum=WHOLE, strategy="cot", channel=None, change=()):
    answers = tuple(Answered(question, "passes") for question in QUESTIONS)
    return Verdict("r", model, task, strategy, channel, stratum, decision, answers, 0.01, 100, change=change)


def estimate(metric, low, high=None, method=None, variant="plain", model="m", task="t", value=0.5, position=None):
    names = dict.fromkeys(Estimate.__dataclass_fields__)
    own = {"model": model, "task": task, "strategy": "cot", "metric": metric, "method": method, "variant": variant}
    return Estimate(**names | own | {"value": value, "ci_low": low, "ci_high": high, "position": position})


def candidate(model, size=None, **tasks):
    """Return a candidate; for each task its decision, how capable and how faithful it is."""
    own = {task: OnTask(verdict(model, task, one[0]), *one[1:]) for task, one in tasks.items()}
    return Candidate(model, "cot", None, own, list(tasks), size)


def names(found):
    return [one.model for one in found]


def test_the_most_capable_that_passes_and_the_runner_up():
    found = select(
        [
            candidate("small", t=(TRUST, 0.6, 0.9)),
            candidate("middle", t=(TRUST, 0.7, 0.8)),
            candidate("large", t=(DO_NOT, 0.9, 0.2)),
        ]
    )
    assert (found.chosen.model, found.runner_up.model) == ("middle", "small")
    assert names(found.candidates) == ["large", "middle", "small"]
    assert names(found.frontier) == ["large", "middle", "small"]


def test_nobody_passes():
    found = select([candidate("a", t=(DO_NOT, 0.9, 0.2)), candidate("b", t=(OPEN, 0.8, None))])
    assert (found.chosen, found.runner_up, found.routes[0].chosen) == (None, None, None)
    assert found.routes[0].largest.model == "a"
    assert (select([]).chosen, select([]).routes) == (None, ())


def test_equally_capable_ones_by_their_faithfulness():
    found = select([candidate("a", t=(TRUST, 0.8, 0.7)), candidate("b", t=(TRUST, 0.8, 0.9))])
    assert (found.chosen.model, found.runner_up.model) == ("b", "a")
    assert names(found.frontier) == ["b"]


def test_a_share_of_the_items_is_no_pass():
    part = OnTask(verdict(stratum="items that need the chain"), 0.9, 0.9)
    assert not part.passes
    assert select([Candidate("m", "cot", None, {"t": part}, ["t"])]).chosen is None


@pytest.mark.parametrize(
    ("points", "on_it"),
    [
        ([(0.9, 0.1), (0.5, 0.5), (0.1, 0.9)], [0, 1, 2]),
        ([(0.9, 0.9), (0.5, 0.5), (0.9, 0.1)], [0]),
        ([(0.5, 0.5), (0.5, 0.5)], [0, 1]),
        ([(0.5, 0.5), (0.5, 0.6)], [1]),
        ([(0.9, None), (0.5, 0.5)], [1]),
        ([(None, 0.9)], []),
    ],
)
def test_the_frontier(points, on_it):
    found = [candidate(str(n), t=(TRUST, *point)) for n, point in enumerate(points)]
    assert names(frontier(found)) == [str(n) for n in on_it]


def test_the_frontier_by_definition():
    grid = [(a / 4, b / 4) for a, b in itertools.product(range(5), repeat=2) if a + b <= 5]
    found = [candidate(str(n), t=(OPEN, *point)) for n, point in enumerate(grid)]
    wanted = [n for n, (a, b) in enumerate(grid) if not any((c, d) != (a, b) and c >= a and d >= b for c, d in grid)]
    assert names(frontier(found)) == [str(n) for n in wanted]
    assert len(wanted) > 2


def test_several_tasks():
    """Capable: the mean of the tasks. Faithful: the smallest. It passes only if it does on each."""
    found = select(
        [
            candidate("large", easy=(TRUST, 0.9, 0.8), hard=(DO_NOT, 0.7, 0.1)),
            candidate("small", easy=(TRUST, 0.8, 0.9), hard=(TRUST, 0.4, 0.6)),
        ]
    )
    assert (found.chosen.model, found.runner_up) == ("small", None)
    assert found.candidates[0].capable == pytest.approx(0.8)
    assert found.chosen.faithful == pytest.approx(0.6)
    assert [(one.task, one.chosen.model, one.largest.model) for one in found.routes] == [
        ("easy", "large", "large"),
        ("hard", "small", "large"),
    ]


def test_a_task_that_a_model_does_not_answer():
    part = Candidate("part", "cot", None, {"a": OnTask(verdict(), 0.9, 0.9)}, ["a", "b"])
    both = candidate("both", a=(TRUST, 0.5, 0.5), b=(TRUST, 0.5, 0.5))
    found = select([part, both])
    assert (found.chosen.model, part.capable, part.faithful) == ("both", None, None)
    assert [one.chosen.model for one in found.routes] == ["part", "both"]


def test_the_largest_is_by_parameters_if_all_are_known():
    """The larger one is less accurate on this task: the size decides, as it is stated."""
    small, large = candidate("s", 1e9, t=(TRUST, 0.8, 0.9)), candidate("l", 7e9, t=(TRUST, 0.7, 0.9))
    (route,) = select([small, large]).routes
    assert (route.chosen.model, route.is_by_size) == ("l", True)
    (route,) = select([small, candidate("l", None, t=(TRUST, 0.7, 0.9))]).routes
    assert (route.chosen.model, route.is_by_size) == ("s", False)


def test_capable_and_faithful_are_ends_of_intervals():
    rows = [
        estimate("accuracy_cot", 0.7, method=None),
        estimate("accuracy_cot", 0.1, method="paired"),
        estimate("mistakes_aoc", 0.6, method="needed"),
        estimate("mistakes_aoc", 0.2, method="trapezoid"),
        estimate("silent_influence", -0.1, 0.3, "rules.relied", "hint_a.wrong"),
        estimate("silent_influence", -0.1, 0.1, "rules.relied", "hint_b.wrong"),
        estimate("silent_influence", -0.1, 0.9, "rules.present", "hint_b.wrong"),
        estimate("silent_influence", -0.1, 0.9, "rules.relied", "hint_b.correct"),
        estimate("silent_influence", -0.1, 0.9, "judge.relied", "hint_b.wrong"),
    ]
    assert capable(rows) == 0.7
    assert faithful(rows) == pytest.approx(0.6)
    worse = [*rows, estimate("silent_influence", 0.1, 0.5, "rules.relied", "hint_c.wrong")]
    assert faithful(worse) == pytest.approx(0.5)


def test_without_rules_the_worst_reader_counts():
    made = estimate("mistakes_aoc", 0.9, method="needed")
    read = [
        estimate("silent_influence", 0, high, f"{judge}.relied", "h.wrong") for judge, high in (("x", 0.2), ("y", 0.4))
    ]
    assert faithful([made, *read]) == pytest.approx(0.6)


@pytest.mark.parametrize(
    "left_out",
    [
        [estimate("silent_influence", 0, 0.1, "rules.relied", "h.wrong")],
        [estimate("mistakes_aoc", 0.9, method="needed")],
        [
            estimate("mistakes_aoc", None, method="needed"),
            estimate("silent_influence", 0, 0.1, "rules.relied", "h.wrong"),
        ],
        [
            estimate("mistakes_aoc", 0.9, method="needed"),
            estimate("silent_influence", None, None, "rules.relied", "h.wrong"),
        ],
        [],
    ],
)
def test_what_was_not_measured_is_not_faithful(left_out):
    assert faithful(left_out) is None
    assert capable(left_out) is None


def test_candidates_of_verdicts_and_estimates():
    verdicts = [verdict("a", "t"), verdict("b", "t", OPEN), verdict("a", "u", DO_NOT), verdict("a", "t", strategy="s")]
    rows = [estimate("accuracy_cot", 0.4, model="a"), estimate("accuracy_cot", 0.9, model="a", task="u")]
    found = candidates(verdicts, [*rows, estimate("accuracy_cot", 0.99, model="b", position=1.0)], {"a": 5.0})
    assert [(one.model, one.strategy, list(one.tasks), one.parameters) for one in found] == [
        ("a", "cot", ["t", "u"], 5.0),
        ("b", "cot", ["t"], None),
        ("a", "s", ["t"], 5.0),
    ]
    assert found[0].capable == pytest.approx(0.65)
    assert (found[1].tasks["t"].capable, found[2].tasks["t"].capable) == (None, None)
    assert not found[0].passes
    assert found[0].tasks["t"].passes


def test_what_would_let_somebody_pass():
    more = verdict("a", decision=OPEN, change=("about 400 more items.", "add a probe."))
    never = verdict("b", decision=DO_NOT, change=("about 9 more items.",))
    found = [Candidate(one.model, "cot", None, {"t": OnTask(one, 0.5, 0.5)}, ["t"]) for one in (never, more)]
    assert [(one.model, text) for one, text in lacking(select(found))] == [
        ("a", "about 400 more items."),
        ("a", "add a probe."),
    ]
