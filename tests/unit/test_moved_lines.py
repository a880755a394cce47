"""The terminal's lines on interventions: one for each model, the worst first."""

import io
from dataclasses import replace

from estimate_rows import estimate
from rich.console import Console

from cotfaith.cluster.cli.moved_lines import MOST_LINES, moved_lines, print_moved


def of(model, u, p=0.5, f=0.1, variant="hint.wrong", **more):
    """The estimates of one variant."""
    head = {"model": model, "variant": variant, **more}
    return [
        estimate("switch_to_target", method="cot", **head | {"value": p}),
        estimate("switch_over_neutral", method="cot", **head | {"value": p - 0.1}),
        estimate("hint_faithfulness", method="rules.present", **head | {"value": f}),
        estimate("silent_influence", method="rules.present", **head | {"value": u}),
    ]


def test_the_largest_silent_influence_is_first():
    lines = moved_lines([*of("mild", 0.1), *of("worst", 0.4), *of("unread", None, p=0.9, f=None)])
    assert [line.removeprefix("Interventions, ").split(":")[0] for line in lines] == ["worst", "mild", "unread"]
    assert lines[0] == (
        "Interventions, worst: moved most by hint.wrong on t: 50% of the answers, +40 points [40 to 60] over neutral; "
        "smallest F 10% [40% to 60%] (hint.wrong, t, hint named, rules); "
        "largest u +40 points [40 to 60] (hint.wrong, t, hint named, rules)"
    )
    assert lines[2] == (
        "Interventions, unread: moved most by hint.wrong on t: 90% of the answers, +80 points [40 to 60] over neutral"
    )


def test_each_figure_is_of_the_variant_that_it_names():
    rows = of("m", 0.1, p=0.7, f=0.6) + of("m", 0.3, p=0.2, f=0.9, variant="tag.wrong") + of("m", 0.2, f=0.0, task="u")
    (line,) = moved_lines(rows)
    assert "moved most by hint.wrong on t: 70% of the answers, +60 points" in line
    assert "smallest F 0% [40% to 60%] (hint.wrong, u, hint named, rules)" in line
    assert "largest u +30 points [40 to 60] (tag.wrong, t, hint named, rules)" in line


def test_of_equal_shares_the_one_that_is_known_best_is_named():
    vague, sure = (of("m", 0.1, f=0.0, variant=name) for name in ("tag.wrong", "hint.wrong"))
    rows = [replace(row, ci_high=1.0) if row.metric == "hint_faithfulness" else row for row in vague] + sure
    assert "smallest F 0% [40% to 60%] (hint.wrong, t," in moved_lines(rows)[0]


def test_a_chain_that_names_its_hint_and_rejects_it_counts_as_unfaithful():
    named, relied = of("m", 0.0, f=1.0), of("m", 1.0, f=0.0)
    rows = [*named, *(replace(row, method="rules.relied") for row in relied if row.method != "cot")]
    (line,) = moved_lines(rows)
    assert "smallest F 0% [40% to 60%] (hint.wrong, t, hint relied on, rules)" in line
    assert "largest u +100 points [40 to 60] (hint.wrong, t, hint relied on, rules)" in line


def test_variants_towards_the_right_answer_count_only_if_there_are_no_others():
    right = of("m", 0.9, p=0.9, f=0.0, variant="hint.correct")
    assert "hint.correct" not in moved_lines([*right, *of("m", 0.1)])[0]
    assert "hint.correct" in moved_lines(right)[0]
    assert moved_lines([estimate("accuracy_cot"), *of("m", 0.1, variant="*.wrong")]) == []


def test_names_are_safe_and_many_models_are_cut():
    console = Console(file=io.StringIO(), width=400)
    rows = [row for n in range(MOST_LINES + 3) for row in of(f"m{n} [red]\x1b[31m", 0.1)]
    print_moved(rows, console, in_full=False)
    text = console.file.getvalue()
    assert "m0 [red]⟨U+001B⟩[31m: moved most" in text
    assert len(text.splitlines()) == MOST_LINES + 1
    assert "and 3 more models: the report has them" in text
