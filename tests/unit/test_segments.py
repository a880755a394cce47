"""A question in segments, with some of them masked."""

import random

from hypothesis import given
from hypothesis import strategies as st

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Framing, Turn, Variant
from cotfaith.workers.text.segments import Segments

TEXTS = st.text(alphabet="ab ,\n\t\u00a0", max_size=40)


def item(question, before="", after=None):
    framing = Framing((Turn("user", "earlier"),), before, after or "", ("* ", ""))
    variant = None if after is None else Variant("hint", "wrong", "A", framing)
    return Item("i", question, "A", "choice", ("red", "blue"), variant=variant)


def test_a_run_of_masked_words_is_one_mask():
    parts = Segments.of(item("Tom has  two\nred hats. Which colour?\n"), 7)
    assert parts.count == 7
    assert parts.only(range(1, 8)) == parts.item
    assert parts.only({1, 2, 5, 7}).question == "Tom has  ... hats. ... colour?\n"
    assert parts.only(()).question == "...\n"
    assert parts.only({7}).question == "... colour?\n"


def test_segments_are_evenly_long_and_at_most_as_many_as_words():
    parts = Segments.of(item("a b c d e f g"), 3)
    assert [parts.only({k}).question for k in (1, 2, 3)] == ["a b c ...", "... d e ...", "... f g"]
    assert Segments.of(item("a b"), 6).count == 2
    assert Segments.of(item(""), 6).count == 0


def test_what_an_intervention_adds_is_masked_too_and_all_else_stays():
    parts = Segments.of(item("Which one?", "I am Tom.", "\nI think it is red."), 10)
    assert parts.count == 10
    shown = parts.only({4, 5})
    assert (shown.question, shown.variant.framing.before, shown.variant.framing.after) == ("Which one?", "...", "\n...")
    assert shown.variant.framing.turns == parts.item.variant.framing.turns
    assert (shown.variant.framing.marks, shown.choices) == (("* ", ""), ("red", "blue"))


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 9), st.integers(0, 99))
def test_masks_hide_exactly_their_segments(before, question, after, at_most, seed):
    one = item(question, before, after)
    parts = Segments.of(one, at_most)
    words = [word for text in (before, question, after) for word in text.split()]
    assert parts.count == min(at_most, len(words))
    assert parts.only(range(1, parts.count + 1)) == one
    kept = {k for k in range(1, parts.count + 1) if random.Random(f"{seed} {k}").random() < 0.5}
    shown = parts.only(kept)
    texts = (shown.variant.framing.before, shown.question, shown.variant.framing.after)
    left = [word for text in texts for word in text.split() if word != "..."]
    assert left == [word for w, word in enumerate(words) if 1 + w * parts.count // len(words) in kept]


def test_every_segment_has_a_word():
    for n in range(1, 12):
        for at_most in range(1, 12):
            parts = Segments.of(item(" ".join("x" * n)), at_most)
            assert all("x" in parts.only({k}).question for k in range(1, parts.count + 1))
