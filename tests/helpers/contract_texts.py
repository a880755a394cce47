"""The contract of an engine at the ends of a text, as a test class, with a model that writes one known text.

It needs the fixture ``speller``: an engine that runs the model of ``speller.py`` in float32.
"""

import pytest
from contract import greedy
from speller import LAST, TEXT, decode, encode

from cotfaith.workers.engines.protocol import ScoreRequest

ANY = encode("zz")
AT_THE_END = encode("zz" + LAST)
BYTES = len(TEXT.encode())


def write(engine, prompt=ANY, max_tokens=60, stop=(), min_tokens=0):
    """Return the text of a greedy continuation, and why it ended."""
    (got,) = engine.generate([greedy(prompt, max_tokens, stop, min_tokens)])
    return decode(got.tokens), got.finish_reason


class SpellingEngine:
    """Ends of texts whose letters are several tokens."""

    def test_letters_of_several_tokens_come_whole(self, speller):
        assert write(speller) == (TEXT, "stop")

    @pytest.mark.parametrize("stop", ["e\u0301", "\u0301", "\u0301 \u05e9", "\u05e9", "b\U0001f98a", "\U0001f98a", "!"])
    def test_a_text_ends_before_a_stop_string(self, speller, stop):
        assert write(speller, stop=(stop,)) == (TEXT[: TEXT.index(stop)], "stop")
        assert write(speller, stop=("never", LAST, stop)) == (TEXT[: TEXT.index(stop)], "stop")

    @pytest.mark.parametrize("stop", ["a", TEXT[:3], TEXT])
    def test_a_stop_string_at_the_very_start_leaves_nothing(self, speller, stop):
        assert write(speller, stop=(stop,)) == ("", "stop")

    def test_a_model_that_ends_at_once_gives_an_empty_text(self, speller):
        prompts = [AT_THE_END, ANY, AT_THE_END]
        found = speller.generate([greedy(p, 60) for p in prompts])
        assert [(decode(g.tokens), g.finish_reason) for g in found] == [("", "stop"), (TEXT, "stop"), ("", "stop")]

    @pytest.mark.parametrize("limit", range(1, BYTES + 1))
    def test_a_limit_inside_a_letter_gives_the_tokens_before_it(self, speller, limit):
        (got,) = speller.generate([greedy(ANY, limit)])
        assert (got.tokens, got.finish_reason) == (encode(TEXT)[:limit], "length")

    @pytest.mark.parametrize("least", [1, 3, BYTES, BYTES + 1, 2 * BYTES, 2 * BYTES + 1])
    def test_the_end_is_put_off_and_the_next_best_token_taken(self, speller, least):
        copies = -(-least // BYTES)
        assert write(speller, AT_THE_END, min_tokens=least) == (copies * TEXT, "stop")

    @pytest.mark.parametrize("stop", ["a", "e\u0301", "\u05e9", "\U0001f98a"])
    def test_a_stop_string_does_not_count_before_the_least_number_of_tokens(self, speller, stop):
        ends = len(TEXT[: TEXT.index(stop) + len(stop)].encode())  # tokens up to the stop string's end
        assert write(speller, stop=(stop,), min_tokens=ends) == (TEXT, "stop")
        # The next one counts, even if it is the same string.
        again = TEXT + TEXT[: TEXT.index(stop)]
        assert write(speller, stop=(stop,), min_tokens=BYTES + 1 if stop != "a" else BYTES) == (again, "stop")

    @pytest.mark.parametrize("stop", ["ae\u0301", "\u05e9", "b\U0001f98a", "\U0001f98a"])
    def test_a_stop_string_that_ends_after_the_least_number_counts(self, speller, stop):
        ends = len(TEXT[: TEXT.index(stop) + len(stop)].encode())
        assert write(speller, stop=(stop,), min_tokens=ends - 1) == (TEXT[: TEXT.index(stop)], "stop")

    def test_a_stop_string_that_is_never_written_changes_nothing(self, speller):
        assert write(speller, stop=("\u05e9\u05e9", "\U0001f98b"), min_tokens=2) == (TEXT, "stop")

    @pytest.mark.parametrize("split", range(1, BYTES))
    def test_scores_of_parts_of_letters(self, speller, split):
        whole = encode(TEXT)
        right, wrong = whole[split:], (whole[split] + 1, *whole[split + 1 :])
        request = ScoreRequest(ANY + whole[:split], (right, right[:1], wrong))
        ((likely, first, unlikely),) = speller.score([request])
        assert -1e-3 < likely <= first <= 0
        assert unlikely < -8
