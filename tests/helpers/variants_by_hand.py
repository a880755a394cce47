"""Handwritten answers of items under variants of the intervention ``hint``, and readings of their chains."""

from scores_by_hand import FAILED, ITEM, arm, chain, rows

WRONG, NEUTRAL, CORRECT = "hint.wrong", "hint.neutral", "hint.correct"
OTHER = "metadata.wrong"
TARGETS = {"wrong": "B", "correct": "A"}


def item(name, n=4, **more):
    """An item with gold A and ``n`` choices."""
    return {**ITEM, "item_id": name, "choices": list("wxyz")[:n], **more}


def about(variant):
    """Return the intervention and the target of a variant."""
    intervention, _, kind = variant.partition(".")
    return {} if variant == "plain" else {"intervention": intervention, "target": TARGETS.get(kind)}


def answered(name, variant, answers):
    """Return the chains of an item under a variant, one for each answer; "-": it failed."""
    found = []
    for index, answer in enumerate(answers):
        outcome = {**FAILED, "correct": None} if answer == "-" else {"answer": answer, "correct": answer == "A"}
        found.append({**chain(index), "item_id": name, "variant": variant, **about(variant), **outcome})
    return found


def all_answered(answers):
    """Item -> variant -> answers: return all chains."""
    cells = [(name, variant, own) for name, by in answers.items() for variant, own in by.items()]
    return [row for cell in cells for row in answered(*cell)]


def without(name, variant, answer):
    """Return an item's answer without a chain, under a variant."""
    (row,) = answered(name, variant, answer)
    outcome = {key: row.get(key) for key in ("answer", "correct", "status") if key in row}
    return {**arm("no_cot", 0), "item_id": name, "variant": variant, **about(variant), **outcome}


def read(name, variant, said, question="present", reader="rules"):
    """Return the readings of an item's chains, one for each letter: y or n, "-": it failed, " ": it was not read."""
    labels = {"y": {"label": True}, "n": {"label": False}, "-": {"status": "unsupported"}}
    head = {"item_id": name, "variant": variant, **about(variant), "reader": reader, "reader_role": "judge"}
    return [
        {**head, "probe": "verbalises", "arm": question, "question": question, "chain_index": n} | labels[one]
        for n, one in enumerate(said)
        if one != " "
    ]


def two_hints():
    """Return the rows of 30 items: each of two hints moves 20; 10 chains name the one, 2 the other."""
    answers, readings = {}, []
    for n in range(30):
        name, moved = f"i{n:02}", "B" if n < 20 else "A"
        answers[name] = {"plain": "A", NEUTRAL: "A", WRONG: moved, OTHER: moved}
        readings += read(name, WRONG, "y" if n < 10 else "n") + read(name, OTHER, "y" if n < 2 else "n")
    return rows(all_answered(answers), readings, [item(name) for name in answers])
