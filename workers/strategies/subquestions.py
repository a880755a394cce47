"""The text of a decomposed chain: "Subquestion 1: ...", "Answer 1: ...", "Subquestion 2: ...", each on its own lines.

In: such a text, or a prefix of one, whoever wrote it. Out: its steps, and the open subquestion at its end. Text before
the first label belongs to the first step. Knows nothing about who asks and who answers.
"""

import itertools
import re

STEP_UNIT = "subquestion"
_QUESTION = re.compile(r"^[ \t]*Subquestion[ \t]+\d+[ \t]*:", re.MULTILINE | re.IGNORECASE)
_LABEL = re.compile(r"^[ \t]*(Subquestion|Answer)[ \t]+(\d+)[ \t]*:", re.MULTILINE | re.IGNORECASE)
_REFERENCE = re.compile(r"\[answer[ \t]+(\d+)\]", re.IGNORECASE)


def split_pairs(text: str) -> tuple[str, ...]:
    """Return the subquestions, each with its answer; joined, they are ``text``. Blank texts have none."""
    if not text.strip():
        return ()
    starts = [label.start() for label in _QUESTION.finditer(text)]
    return tuple(text[a:b] for a, b in itertools.pairwise([0, *starts[1:], len(text)]))


def split_answer(step: str) -> tuple[str, str]:
    """Split a step after the label of its (last) answer, or of its subquestion if it has none."""
    labels = list(_LABEL.finditer(step))
    answers = [label for label in labels if label[1].lower() == "answer"]
    end = (answers or labels)[-1].end() if labels else 0
    return step[:end], step[end:]


def count_questions(text: str) -> int:
    """Return the number of subquestions in ``text``."""
    return len(_QUESTION.findall(text))


def opens_question(line: str) -> bool:
    """Return whether ``line`` begins with a subquestion's label."""
    return _QUESTION.match(line) is not None


def open_question(text: str) -> str | None:
    """Return the unanswered subquestion at the end of ``text``, with its references replaced by answers.

    None: the last subquestion has its answer, or there is none. "": a label without words.
    """
    labels = list(_LABEL.finditer(text))
    if not labels or labels[-1][1].lower() == "answer":
        return None
    answers = _answers(text, labels)
    return _REFERENCE.sub(lambda found: answers.get(int(found[1]), found[0]), text[labels[-1].end() :].strip())


def _answers(text: str, labels: list[re.Match[str]]) -> dict[int, str]:
    """Return each answer by its number, without its full stop, because it is inserted within a question."""
    ends = [label.start() for label in labels[1:]] + [len(text)]
    return {
        int(label[2]): text[label.end() : end].strip().rstrip(".")
        for label, end in zip(labels, ends, strict=True)
        if label[1].lower() == "answer"
    }
