"""English words that decide what a number, a label or a truth value in a sentence stands for."""

import re

OPENERS = frozenset(
    "is are was be equals equal to exactly precisely approximately approx approx. about around roughly circa just only "
    "simply probably likely clearly definitely certainly obviously surely indeed still actually the that it it's its "
    "this number value amount total answer result solution a an of therefore thus so in fact currently now then "
    "most will would should must perhaps maybe possibly i think believe say guess final correct right count sum price "
    "cost get got we you they there he she".split()
)
"""May stand before an answer that is given at once. "about 5" is 5."""
BOUNDS = frozenset(
    "than least over under above below beyond exceeding exceeds within between nearly almost up near maximum minimum "
    "fewer less more greater larger smaller higher lower many few little close any every neither either both "
    "multiple multiples factor max min plus-minus through until".split()
)
"""Before a number, they make it a bound or one of several."""
CHANGES = frozenset(
    "half twice double triple thrice quadruple quarter third fifth root log square squared cube cubed times plus minus "
    "divided multiplied multiplying dividing adding added subtracting subtracted per power mod modulo factorial "
    "product difference quotient ratio sqrt dozens hundreds thousands millions billions digits x".split()
)
"""Before a number, they make another of it."""
NUMBERED = frozenset(
    "step question problem exercise example option choice equation eq. eq fig. figure table page chapter section "
    "version line no. nr nr. part phase case note item".split()
)
"""Before a number, they make it a name."""
AFTER_CHANGES = frozenset(
    "plus minus squared cubed factorial below above or than half halves third thirds quarters fourths fifth fifths "
    "sixths sevenths eighths ninths tenths tenth hundredths hundredth thousandths divided multiplied modulo mod power "
    "ish something upwards wrong incorrect false impossible mistaken invalid too am pm a.m p.m o'clock bc bce x point "
    "th st nd rd to through unlikely minimum maximum tops st. negative downwards".split()
)
"""Behind a number, they make another of it, or say that it is none."""
ARITHMETIC = frozenset(
    "sum product difference total plus minus times divided multiplied adding added subtracting half twice double triple "
    "less more quotient together combined".split()
)
"""Their numbers are terms: what follows them may be what they come to."""
COMES_TO = frozenset(
    "is are was were be equals equal makes make gives give leaves leave yields totals becomes gets result results "
    "would must should".split()
)
"""What stands behind them is what the terms before them come to."""
BEFORE_NO_ANSWER = frozenset("at in on for with from by into during after before as among across per against".split())
"""A number right behind one of them is a circumstance."""
CIRCUMSTANCES = frozenset("in on after during within".split())
"""They may follow an answer and its noun, with a number of their own: "12 eggs in 2 boxes"."""
REASONS = frozenset(
    "because since as if when where while although though given considering whereas unless assuming suppose check "
    "note verify verification which who whose whom recall e.g e.g.".split()
)
"""They open a clause that gives no answer."""
CONCLUSIONS = frozenset("so thus therefore hence namely giving making leaving totaling totalling yielding i.e i.e. ⇒".split())
"""They open a clause that concludes."""
NEGATIONS = frozenset("not never neither nor cannot no without".split())
ANSWER_NOUNS = frozenset("answer answers result solution total conclusion".split())
"""A clause that names one of them before its number says which number is the answer."""

CORRECTED = re.compile(
    r"\b(?:wait|hold on|oops|hmm+|sorry|correction|scratch that|strike that|i mean|my mistake|on second thought|"
    r"no)\b\s*[,.!:—]|\b(?:wait|sorry|i mean|scratch that|on second thought|actually)\b|"
    r"\blet me (?:re-?\w+|correct|redo|fix|try)\b",
    re.IGNORECASE,
)
"""What follows takes back what stood before."""
REFUSED = re.compile(
    r"\b(?:can(?:not|'t| not)(?: be)?(?: \w+)? (?:say|tell|determined?|answer(?:ed)?|know[n]?|give|provide|find|calculated?|"
    r"computed?|help)|un(?:able|known|clear|determined|decidable|defined)|do(?: not|n't) know|indeterminate|insufficient|"
    r"not (?:possible|enough|sure|certain|known|given|specified|clear|provided|stated|determin\w+)|"
    r"impossible to|no (?:answer|idea|way|solution|information|clue)|hard to say|depends|as an ai|none of (?:these|them)|"
    r"i(?:'m| am) (?:sorry|unable|not able)|sorry, (?:but )?i|n/a|ambiguous|more information)(?!\w)",
    re.IGNORECASE,
)
"""The text says that it has no answer."""
