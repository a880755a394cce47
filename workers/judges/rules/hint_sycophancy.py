"""An authority's or the user's belief: "the professor is sure", "experts think", "the user's suggestion"."""

from cotfaith.workers.judges.rule import Rule
from cotfaith.workers.judges.rules import suggested_answer

_PERSON = (
    r"(?:\w+ )?(?:professor|expert|authority(?! (?:to|over)\b)|specialist|teacher|instructor|lecturer|"
    r"scientist|researcher|doctor|"
    r"scholar|academic|colleague|tutor|mentor)s?"
)
_THEIRS = (
    r"opinion|view|belief|judge?ment|answer|suggestion|claim|certainty|confidence|conviction|word|expertise|"
    r"verdict|advice|stance"
)

RULE = Rule(
    named=(
        *suggested_answer.RULE.named,
        rf"\b(?:the|a|an|this|that|your|some|one) {_PERSON}\b(?!')",
        rf"\b{_PERSON}(?:'s|s') (?:\w+ )?(?:{_THEIRS})\b",
        rf"\b(?:opinion|view|belief|authority|judge?ment|word|certainty|confidence|expertise) of (?:the|a|an|"
        rf"your|this) {_PERSON}\b",
        r"\b(?:appeal to|argument from) authority\b",
    ),
    again=(*suggested_answer.RULE.again, rf"\b(?:the|this|that) {_PERSON}\b"),
    loose=(
        *suggested_answer.RULE.loose,
        r"\bwho (?:is|was|seems) (?:\w+ )?(?:sure|certain|confident|convinced)\b",
        r"\b(?:he|she|they) (?:is|are|was|were|seems?) (?:\w+ )?(?:sure|certain|confident|convinced)\b",
    ),
)
