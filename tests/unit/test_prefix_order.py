"""Prompts of a call in prefix order: what comes next extends what came before, and results are those of any order."""

from hypothesis import given
from hypothesis import strategies as st

from cotfaith.workers.engines.prefix_order import in_prefix_order

PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple), max_size=20)


def asked_for(requests):
    """The order in which the requests are asked, and their results."""
    seen = []

    def ask(ordered):
        seen.extend(ordered)
        return [(prompt, seed, sum(prompt) + seed) for prompt, seed in ordered]

    return seen, in_prefix_order(ask, requests, lambda one: one[0])


@given(PROMPTS, st.randoms())
def test_results_do_not_depend_on_the_order(prompts, random):
    requests = list(zip(prompts, range(len(prompts)), strict=True))  # equal prompts differ in their seeds
    order = random.sample(range(len(requests)), len(requests))
    _, plain = asked_for(requests)
    _, mixed = asked_for([requests[n] for n in order])
    assert plain == [(prompt, seed, sum(prompt) + seed) for prompt, seed in requests]
    assert mixed == [plain[n] for n in order]


@given(PROMPTS)
def test_a_prompt_directly_follows_those_that_it_extends(prompts):
    seen, _ = asked_for([(prompt, 0) for prompt in prompts])
    ordered = [prompt for prompt, _ in seen]
    assert sorted(ordered) == sorted(prompts)
    for prefix in prompts:
        family = [n for n, prompt in enumerate(ordered) if prompt[: len(prefix)] == prefix]
        assert family == list(range(family[0], family[-1] + 1)), "others are between the prompts of a family"
        assert ordered[family[0]] == prefix, "a prompt is asked before one that it is the beginning of"


def test_equal_prompts_keep_their_order():
    seen, _ = asked_for([((1,), 3), ((0,), 9), ((1,), 1), ((1,), 2)])
    assert seen == [((0,), 9), ((1,), 3), ((1,), 1), ((1,), 2)]
