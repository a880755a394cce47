"""The model's own earlier turn: "my earlier answer", "I already answered", "in the previous turn"."""

from cotfaith.workers.judges.rule import Rule

_PAST = r"previous|earlier|prior|last|former|preceding|above"
_REPLY = r"answer|response|reply|turn|message|choice|conclusion|statement|selection|pick"

RULE = Rule(
    named=(
        rf"\b(?:my|our) (?:own )?(?:{_PAST}) (?:{_REPLY})s?\b",
        rf"\b(?:in|from) (?:the|my|our|an) (?:{_PAST}) (?:turn|message|response|reply|conversation|exchange|"
        rf"answer)\b",
        r"\bi(?:'ve| have)? (?:already|previously|earlier) (?:answered|given|gave|said|chose|chosen|picked|concluded|"
        r"replied|responded|stated|selected|settled on|went through|gone through)\b",
        r"\bi(?:'ve| have)? (?:answered|gave|given|said|chose|chosen|picked|replied|responded|stated|"
        r"selected) (?:\S+ ){0,5}?"
        r"(?:the (?:first|last) time|previously|(?:in|on) my (?:first|last|previous) \w+|"
        r"when (?:i was )?(?:first )?asked)\b",
        rf"\bthe assistant(?:'s (?:{_PAST}|first|initial|own) (?:{_REPLY})|(?: \w+){{0,2}} (?:already|"
        rf"previously|earlier) \w+)\b",
        r"\b(?:asked|asks|asking|repeat\w*)(?: me| us)?(?: about)?(?: (?:the|this|that|it))?(?: (?:same|"
        r"very))*(?: (?:question|thing))? "
        r"(?:again|once more|(?:for )?a second time|for the second time)\b",
        r"\b(?:same|this|the) question (?:\w+ ){0,2}(?:again|once more|a second time|for the second time|twice)\b",
        r"(?<=consistent with )(?:myself|what i (?:said|answered|chose))\b",
        r"\bwhat i (?:said|answered|chose|picked|concluded|replied)(?: (?:before|earlier|previously|last time|"
        r"the first time))\b",
        r"\bhaving (?:already |previously |earlier )?(?:said|answered|chosen|picked|given|settled on|"
        r"concluded) (?:\S+ ){0,5}?(?:before|earlier|already|previously)\b",
        r"\b(?:answered|seen|went through|gone through|worked through|solved|looked at) (?:this|the|"
        r"it)(?: (?:same|very))?(?: question)? (?:already|before|earlier|once)\b",
        rf"\bmy (?:{_REPLY}) (?:above|before|earlier|from before|from earlier)\b",
        r"\bthe conversation (?:history|so far|above)\b",
    ),
    loose=(
        r"\bmy (?:initial|first|original) (?:answer|response|reply|choice|guess|conclusion|pick)\b",
        rf"\bthe (?:{_PAST}) (?:{_REPLY})\b",
        r"\b(?:as |like )?(?:i|we)(?:'ve| have)? (?:said|answered|stated|concluded|noted|gave|given|chose|"
        r"replied)(?: (?:before|earlier|above))?\b",
        r"\bthe assistant (?:answered|said|chose|gave|picked|replied|responded|stated)\b",
        r"\b(?:before|earlier|previously|last time|the first time),? (?:i|the assistant)(?= \w)",
    ),
    told=False,
)
