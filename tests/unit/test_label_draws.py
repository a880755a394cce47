"""Which texts are shown in which order, and by which probability a text came to be labelled; populations by hand."""

from collections import Counter
from pathlib import Path

import pytest
from texts_to_label import HINT, differing, key, many, population, stratum

from cotfaith.cluster.labelling.draw import Draw
from cotfaith.cluster.labelling.files import Given
from cotfaith.cluster.labelling.imported import import_labels
from cotfaith.cluster.labelling.label import Label
from cotfaith.cluster.labelling.read import labels_in, probabilities, read_labels
from cotfaith.cluster.labelling.session import Asked, begin
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunFolderError


def switched(one):
    return one.switched


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def session(store, texts, labeller="anna", order="random", wanted=switched, question="present", run_id="r"):
    return begin(store, run_id, texts, Asked(labeller, question, order, wanted))


def names(session):
    return [unit.key for unit in session.waiting]


def give(session, *labels):
    for label in labels:
        session.give(label)


def known(store):
    """Return the probabilities of all labels, with how often each occurs."""
    return Counter(read_labels(store)["probability"].to_list())


def test_two_labellers_see_the_same_texts_first_and_another_run_has_another_order(store):
    texts = many(30)
    orders = [names(session(store, texts, who)) for who in ("anna", "bob")]
    assert orders[0] == orders[1]
    other_run, other_question = session(store, texts, run_id="s"), session(store, texts, question="relied")
    assert sorted(orders[0]) == sorted(names(other_run)) == sorted(names(other_question))
    assert len({tuple(orders[0]), tuple(names(other_run)), tuple(names(other_question))}) == 3


def test_every_text_is_first_about_as_often_as_any_other():
    texts = many(5)
    first = Counter(Draw(f"run {n}", "present", texts, False).units[0].key for n in range(500))
    assert len(first) == 5
    assert all(70 <= n <= 130 for n in first.values()), first  # 100 expected, standard deviation 9


def test_a_narrower_session_keeps_the_order(store):
    texts = population(**{f"{m}{i}": stratum(model=m) for m in "ab" for i in range(10)})
    all_of, own = session(store, texts), session(store, texts, wanted=lambda one: one.model == "b")
    models = {unit.key: unit.place.model for unit in all_of.waiting}
    assert names(own) == [one for one in names(all_of) if models[one] == "b"]


def test_the_probability_is_what_was_drawn_of_the_stratum(store):
    texts = population(
        **{f"a{i}": stratum(model="a") for i in range(10)}, **{f"b{i}": stratum(model="b") for i in range(4)}
    )
    give(session(store, texts, wanted=lambda one: one.model == "a"), True, False, None)
    give(session(store, texts, wanted=lambda one: one.model == "b"), True)
    assert known(store) == {0.3: 3, 0.25: 1}


def test_chains_that_did_not_switch_are_strata_of_their_own(store):
    texts = population(
        **{f"s{i}": stratum() for i in range(4)}, **{f"o{i}": stratum(switched=False) for i in range(20)}
    )
    give(session(store, texts), True, True)
    assert known(store) == {0.5: 2}
    every = session(store, texts, wanted=lambda one: True)
    assert len(every.waiting) == 22
    give(every, *[False] * 22)
    assert known(store) == {1.0: 24}


def test_a_text_that_was_put_off_was_drawn_and_comes_back_last(store):
    texts = many(4)
    one = session(store, texts)
    first = one.next
    one.skip()
    assert names(one)[-1] == first.key
    give(one, True)
    assert known(store) == {0.5: 1}  # two of four were drawn
    assert len(labels_in(store)) == 2
    again = session(store, texts)
    assert names(again)[-1] == first.key
    give(again, False, False, False)
    assert again.next is None
    assert known(store) == {1.0: 4}


def test_undo_takes_back_labels_and_texts_put_off_in_turn(store):
    one = session(store, many(3))
    order = names(one)
    assert not one.undo()
    one.skip()
    give(one, True, None)
    assert (one.n_labelled, one.given) == (2, {"yes": 1, "cannot tell": 1})
    assert names(one) == order[:1]
    give(one, False)  # the text that was put off
    assert one.undo()
    assert labels_in(store)[order_of(store, order[0])].skipped
    assert [one.undo() for _ in range(4)] == [True, True, True, False]
    assert names(one) == order
    assert (one.n_labelled, +one.given) == (0, Counter())
    assert labels_in(store) == []


def order_of(store, wanted):
    return [(one.text_hash, one.hint_asked) for one in labels_in(store)].index(wanted)


def test_a_session_that_was_cut_off_goes_on(store):
    texts = many(5)
    give(session(store, texts), True, False)
    again = session(store, texts)
    assert again.n_labelled == 2
    assert names(again) == names(session(store, texts, "bob"))[2:]


def test_the_same_text_in_two_strata_is_shown_once_and_counts_in_both(store):
    both = {stratum(model="a"), stratum(model="b")}
    texts = population(same=both, **{f"a{i}": stratum(model="a") for i in range(3)})
    one = session(store, texts)
    assert len(one.waiting) == 4
    give(one, *[True] * 4)
    found = {label.text_hash: [(place.model, place.of) for place in label.drawn] for label in labels_in(store)}
    assert found[key("same").text_hash] == [("a", 4), ("b", 1)]
    assert known(store) == {1.0: 4}


def test_a_text_in_two_strata_was_drawn_if_it_was_in_either(store):
    both = {stratum(model="a"), stratum(model="b")}
    texts = population(same=both, **{f"b{i}": stratum(model="b") for i in range(40)})
    first = next(f"r{n}" for n in range(9999) if names(session(store, texts, run_id=f"r{n}"))[0] == key("same"))
    one = session(store, texts, run_id=first, wanted=lambda one: one.model == "a")
    assert names(one) == [key("same")]
    give(one, True)
    assert known(store) == {1.0: 1}  # one of one text of a, and one of 41 of b


def test_the_same_text_under_another_hint_is_another_question(store):
    texts, other = population(same=stratum()), population(same=stratum(variant="hint_sycophancy.wrong"))
    texts.units[key("same", "hint_sycophancy")] = other.units[key("same")]
    texts.units[key("same", "hint_sycophancy")].key = key("same", "hint_sycophancy")
    one = session(store, texts)
    give(one, True, False)
    assert sorted(read_labels(store)["hint_asked"]) == [HINT, "hint_sycophancy"]


def test_texts_on_which_readers_differ_come_first_and_then_a_random_draw(store):
    apart = ("text 3", "text 8", "text 11")
    texts = differing(many(20), "present", apart)
    one = session(store, texts, order="disagreement")
    assert set(names(one)[:3]) == {key(name) for name in apart}
    give(one, True)
    assert known(store) == {1 / 3: 1}
    give(one, True, True, *[False] * 2)
    assert known(store) == {1.0: 3, 2 / 17: 2}
    assert read_labels(store)["order"].to_list() == ["disagreement"] * 5


def test_random_labels_and_a_disagreement_session_of_one_person_fit_together(store):
    texts = differing(many(20), "present", ("text 3", "text 8", "text 11"))
    order = names(session(store, texts))
    give(session(store, texts), *[True] * 6)
    early = {key(f"text {i}") for i in (3, 8, 11)} & set(order[:6])
    assert known(store) == {0.3: 6}
    give(session(store, texts, order="disagreement"), *[False] * (3 - len(early)))
    assert known(store) == {1.0: 3, (6 - len(early)) / 17: 6 - len(early)}
    give(session(store, texts), False)  # random again: the two cells stay
    assert sum(known(store).values()) == 6 + 3 - len(early) + 1
    assert known(store)[1.0] == 3


def test_a_run_that_grew_is_drawn_from_anew(store):
    small, large = many(6), many(12)
    give(session(store, small), True, True, True)
    assert known(store) == {0.5: 3}
    again = session(store, large)  # the places of the old labels are brought up to date
    order = names(session(store, large, "bob"))
    old = {unit.key for unit in session(store, small, "bob").draw.units[:3]}
    gap = next(i for i, one in enumerate(order) if one not in old)
    in_order = [one for one in order if one not in old]
    assert names(again) == in_order
    assert known(store) == Counter({gap / 12: gap, None: 3 - gap}) - Counter()
    give(again, *[False] * len(in_order))
    assert known(store) == {1.0: 12}


def test_an_import_brings_earlier_labels_up_to_date(store):
    give(session(store, many(6)), *[True] * 6)
    large, path = many(7), Path("labels.csv")
    new = next(unit for unit in large.units if unit not in many(6).units)
    import_labels(
        store, "r", large, {"present": {new: Given("", new.text_hash, "present", False, None, None)}}, "anna", path
    )
    # all seven places are known, though nothing was drawn since the run grew
    assert known(store) == {1.0: 7}


def test_a_label_beyond_the_draw_has_no_known_probability():
    places = session_places(6)
    ranks = {1: None, 2: None, 5: None}
    assert probabilities([label(rank, places) for rank in ranks]) == {
        label(rank, places).key: known for rank, known in ranks.items()
    }
    drawn = [label(rank, places) for rank in (0, 1, 3)]
    assert list(probabilities(drawn).values()) == [2 / 6, 2 / 6, None]
    from_file = label(5, places, probability=0.7, order=None)
    assert probabilities([*drawn, from_file])[from_file.key] == 0.7


@pytest.mark.parametrize(
    ("shown", "from_file", "wanted"),
    [
        ((), (0, 1), {0: 0.5, 1: 0.5}),  # that files' labels stand first in the order is chance: nothing was drawn
        ((), (0, 3), {0: 0.5, 3: 0.5}),
        ((0, 1), (2,), {0: 2 / 6, 1: 2 / 6, 2: 0.5}),
        ((1,), (0, 2), {0: 2 / 6, 1: 2 / 6, 2: 0.5}),  # the session passed over a text that has a label
        ((0, 2), (1,), {0: 3 / 6, 1: 3 / 6, 2: 3 / 6}),
        ((1,), (2,), {1: None, 2: 0.5}),
        ((3,), (0, 1, 2, 4, 5), dict.fromkeys(range(6), 1.0)),  # all are labelled, however that came about
        ((), range(6), dict.fromkeys(range(6), 0.5)),
    ],
)
def test_a_label_from_a_file_draws_nothing(shown, from_file, wanted):
    places = session_places(6)
    labels = {rank: label(rank, places) for rank in shown}
    labels |= {rank: label(rank, places, probability=0.5, order=None) for rank in from_file}
    found = probabilities(labels.values())
    assert {rank: found[one.key] for rank, one in labels.items()} == wanted


def test_a_label_from_a_file_that_states_no_probability_has_none():
    labels = [label(rank, session_places(6), order=None) for rank in range(6)]
    assert [*probabilities(labels[:2]).values()] == [None, None]
    assert {*probabilities(labels).values()} == {1.0}  # they are all that there are


def session_places(n):
    draw = Draw("r", "present", many(n), False)
    return [(unit.key, draw.places(unit.key)) for unit in draw.units]


def label(rank, places, **about):
    (text, hint), drawn = places[rank]
    own = {"labeller": "anna", "text_hash": text, "question": "present", "hint_asked": hint, "label": True}
    return Label(**own, **{"at": "2026-01-01", "order": "random", "drawn": drawn} | about)


def test_a_copied_or_damaged_label_is_refused(store):
    give(session(store, many(2)), True)
    (one,) = labels_in(store)
    store.put(one.key.replace("/anna/", "/bob/"), one.as_json())
    with pytest.raises(RunFolderError, match=r"labels/bob/.*its content belongs at labels/anna"):
        read_labels(store)
    store.put(one.key.replace("/anna/", "/bob/"), b'{"label": "yes"}')
    with pytest.raises(RunFolderError, match=r"labels/bob/.*has no at, hint_asked"):
        read_labels(store)


def test_a_run_without_labels_has_an_empty_frame(store):
    found = read_labels(store)
    assert found.is_empty()
    assert found.columns == ["labeller", "text_hash", "question", "hint_asked", "label", "probability", "at", "order"]
