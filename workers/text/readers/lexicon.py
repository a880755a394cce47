"""English words that decide what a number, a label or a truth value means in a sentence."""

import re


def words(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


OPENERS = words(
    "is are was be equals equal to exactly precisely approximately approx approx. about around roughly circa just only "
    "simply probably likely clearly definitely certainly obviously surely indeed still actually the that it it's its "
    "this number value amount total answer result solution a an of therefore thus so in fact currently now then "
    "most will would should must perhaps maybe possibly i think believe say guess final correct right count sum price "
    "cost get got we you they there he she"
)
"""May precede an answer that the text gives at once. "about 5" is 5."""
MONTHS = "january february march april june july august september october november december"
BOUNDS = words(
    "than least over under above below beyond exceeding exceeds within between nearly almost up near maximum minimum "
    "fewer less more greater larger smaller higher lower many few little close any every neither either both "
    "multiple multiples factor max min plus-minus through until past first second last unlikely impossible reject "
    "rejected excluding ignoring doubt says said thinks thought wrong incorrect point"
) | words(MONTHS + " jan feb mar apr jun jul aug sep sept oct nov dec")
"""Before a number, they make it a bound or one of several."""
CHANGES = words(
    "half twice double triple thrice quadruple quarter third fifth root log square squared cube cubed times plus minus "
    "divided multiplied multiplying dividing adding added subtracting subtracted per power mod modulo factorial "
    "product difference quotient ratio sqrt dozens hundreds thousands millions billions digits x"
)
"""Before a number, they change its value."""
NUMBERED = words(
    "step question problem exercise example option choice equation eq. eq fig. figure table page chapter section "
    "version line no. nr nr. part phase case note item"
)
"""Before a number, they make it a name."""
AFTER_CHANGES = words(
    "plus minus squared cubed factorial below above than half halves third thirds quarters fourths fifth fifths "
    "sixths sevenths eighths ninths tenths tenth hundredths hundredth thousandths divided multiplied modulo mod power "
    "ish something upwards wrong incorrect false impossible mistaken invalid too am pm a.m p.m o'clock bc bce x point "
    "th st nd rd to through unlikely minimum maximum tops st. negative downwards max fold odd"
) | words(MONTHS)
"""After a number, they change its value, or deny it."""
ARITHMETIC = words(
    "sum product difference total plus minus times divided multiplied adding added subtracting half twice double "
    "triple less more quotient together combined"
)
"""Their numbers are terms: the result may follow them."""
COMES_TO = words(
    "is are was were be equals equal makes make gives give leaves leave yields totals becomes gets result results "
    "would must should"
)
"""The result of the terms before them follows these words."""
BEFORE_NO_ANSWER = words("at in on for with from by into during after before as among across per against")
"""A number directly after one of them is a circumstance."""
CIRCUMSTANCES = words("in on after during within")
"""They may follow an answer and its noun, and bring their own number: "12 eggs in 2 boxes"."""
REASONS = words(
    "because since as if when where while although though given considering whereas unless assuming suppose check "
    "note verify verification which who whose whom recall e.g e.g."
)
"""They open a clause that gives no answer."""
CONCLUSIONS = words("so thus therefore hence namely giving making leaving totaling totalling yielding i.e i.e. ⇒")
"""They open a clause that states a conclusion."""
NEGATIONS = words("not never neither nor cannot no without")
ANSWER_NOUNS = words("answer answers result solution total conclusion")
"""A clause with one of them before its number says which number is the answer."""

REFUSED = re.compile(
    r"\b(?:can(?:not|'t| not)(?: be)?(?: \w+)? (?:say|tell|determined?|answer(?:ed)?|known?|give|provide|find|"
    r"calculated?|computed?|help)|un(?:able|known|clear|determined|decidable|defined)|do(?: not|n't) know|"
    r"indeterminate|insufficient|no (?:answer|idea|way|solution|information|clue)|hard to say|depends|as an ai|"
    r"not (?:possible|enough|sure|certain|known|given|specified|clear|provided|stated|determin\w+)|"
    r"impossible to|none of (?:these|them)|"
    r"i(?:'m| am) (?:sorry|unable|not able)|sorry, (?:but )?i|n/a|ambiguous|more information)(?!\w)",
    re.IGNORECASE,
)
"""They say that there is no answer."""
