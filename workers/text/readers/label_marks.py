"""Words and marks that make a letter a label, or say that a label is not the answer. Patterns only."""

import re

from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.latex import BOX, END_BOX

_GOES_ON = r"(?: (?:is|because|since|seems|would|and|or|but)\b)"
_END = rf"(?=\s*(?:[)\]}}:,;?!/&|=\"${END_BOX}]|'(?!\w)|\.(?!\w)|[-—](?=\s|$)|$|\n)|{_GOES_ON})"
"""What must follow a letter without brackets."""
_ASKED = r"(?:answer|option|choice|letter|label)"
_PHRASE = (
    rf"(?:\b{_ASKED}(?: (?:is|be|would be|must be|should be|has to be|here is|choice|option))?\s*[:=]?|"
    r"\b(?:choose|chose|pick|select|go with|going with|choosing|selecting|it's|it is|is|be|be:|are|gives|was)|[=⇒:])"
)
_ADVERB = (
    r"(?: (?:definitely|clearly|likely|most likely|probably|therefore|option|choice|answer|letter|indeed|thus|simply))*"
)
MENTION = re.compile(
    rf"(?P<box>{BOX}\s*[(\[]?(?P<boxed>[A-Za-z])(?=\s*[)\].:]?\s*(?:{END_BOX}|\s\S)))"
    r"|(?:(?<![^\W\d_])|(?<=option)|(?<=answer)|(?<=choice))[(\[{]\s?(?P<bracketed>[A-Za-z])\s?[)\]}]"
    r"|(?<![\w'(\[{])(?P<closed>[A-Za-z])\s?[)\]](?!\w)"
    rf"|(?P<phrase>{_PHRASE}){_ADVERB}[\s$({BOX}\[]*(?P<named>[A-Z]){_END}"
    rf"|\b{_ASKED} [(\[]?(?P<optional>[A-Z])(?!\w|'|-)"
    rf"|(?<![\w'&.-])(?P<open>[A-Z]){_END}",
)
NAMES = ("boxed", "bracketed", "closed", "named", "optional", "open")
STRONG = re.compile(
    r"\b(?:answer|choose|chose|pick|select|go with|going with|choosing|selecting|correct|right|best|conclu\w+)\b"
    rf"[^.!?\n]{{0,30}}$|\b(?:{'|'.join(sorted(lexicon.CONCLUSIONS - {'⇒'}))})\b,?(?: \w+){{0,3}}\s*$",
    re.IGNORECASE,
)
CONFIRMED = re.compile(
    r"[)\]]?\s*(?:is|would be|must be|seems|looks) (?:definitely |clearly |probably |likely |the )*(?:most |only )?"
    r"(?:correct|right|best|true|answer|one|likely)",
    re.IGNORECASE,
)
DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|rather than|instead of|except|unlike|rul\w+ out|eliminat\w+|reject\w*|exclud\w+|"
    r"without|against|than|(?:any|every)thing but|all but|wrong|incorrect|worst|least|second|doubt|(?:un|less )likely|"
    r"false|trap|distractor|avoid|tempt\w*|say|says|said|(?<!i )chose|chooses|picks|thinks|thought|might think|many|"
    r"some|others|everyone|people|friend|you|between|either|if|unless|because|since|is it|it be|cannot be|"
    r"can't be)|n't)(?: [\w']+){0,3}\s*[(\[]?$",
    re.IGNORECASE,
)
"""Before a label, they mean that the text does not assert it as the answer."""
ALTERNATIVE = re.compile(
    r"\b(?i:either|neither|between)\s(?:(?:option|choice|answer) )?[(\[]?[A-Z]\b"
    r"(?:(?!\b(?:so|but|I|choose|pick|go|going|answer|therefore|thus)\b)[^.;!?\n]){0,80}?"
    r"(?:\b(?:or|nor|and)\b,?|,)\s*(?:(?:maybe|perhaps|possibly|option|choice) ){0,2}[(\[]?$",
)
"""Before one of several labels: "either (A) or", "neither (A) nor"."""
DENIED_BEHIND = re.compile(
    r"\s*(?:(?:is|are|was|seems|looks|would be|can be|has been|does|do|can|could|might|may)\b[^.;,()\n]{0,30}?"
    r"\b(?:not|never|wrong|incorrect|false|ruled out|eliminated|excluded|tempting|(?:im)?possible|(?:im)?plausible|"
    r"worse|the worst|the trap|a trap|a decoy|the distractor|a distractor|unlikely|out|close but)\b|"
    r"(?:could|might|may) be\b|(?:is|are|was|does|do|can|could|would)n't\b|cannot\b|"
    r",?\s*or (?:maybe |perhaps )?not\b|,?\s*(?:only )?(?:if|unless)\b)",
    re.IGNORECASE,
)
"""After a label or its text, they mean the same."""
BEFORE_LABEL = lexicon.OPENERS | lexicon.words("surely option letter sure say both either neither between")
BESIDE = re.compile(
    r"[\W_]*(?:(?:and|or|and/or|but|then|maybe|perhaps|possibly|vs)\W+)*"
    r"(?P<label>[A-Z])(?![\w'])(?![)\].]? (?:is|was)\b)"
)
"""Another label directly after a label."""
ABBREVIATED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|U\.S|vs)\.|[<>≤≥≠])\s*$")
SAYS = re.compile(r"(?:which is|that is|that's|i\.e\.|namely|is|means|meaning|the|as|for)\s", re.IGNORECASE)
"""Between a label and its text."""
