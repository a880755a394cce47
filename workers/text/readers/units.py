"""Signs and words that may touch a number without changing its value, and those that change it in a known way.

Anything else that touches a number makes it unreadable ("5xyz", "3x", "5th"). The case of a unit's letters matters.
"""

import re

from cotfaith.workers.text.readers.lexicon import words

MONEY = (
    r"(?:(?:US|AU|CA|NZ|HK|SG|[ACRS])?\$|[€£¥₹₩₽₫₪₴₦฿₺]|"
    r"(?:USD|EUR|GBP|JPY|CNY|INR|CHF|CAD|AUD|RM|Rs\.?|Rp\.?|kr\.?|[Ee]uros?)(?![A-Za-z]))"
)
"""Currency signs before or after a number."""
POINT_MONEY = re.compile(r"(?:US\$|\$|£|USD|GBP|CAD|AUD|\s)*")
"""Currencies whose thousands are never grouped by points."""
_METRIC = (
    r"(?:[kcdmµμnMGTh]?m|[kmµμn]?g|[mcdk]?[lL]|[kmMGT]?W|[kmMGT]?Wh|[kMG]?J|k?cal|[kMGT]?Hz|[kmM]?V|[mµμ]?A|[kMGh]?Pa)"
)
_OTHER = (
    r"(?:°[CF]?|[kMG]?Ω|[kKMGT]i?B|[kMGT]b|bits?|mol|rad|deg|mph|kph|kmh|km/h|px|dB|rpm|ha|ac|ft|in|yd|mi|lbs?|oz|gal|t|"
    r"h|hrs?|mins?|s|secs?|ms|d|yrs?|wks?|pts?|cc|K|N|C|F|c|¢|cents?|dollars?|euros?|pounds?|rupees?|kilometers?|"
    r"kilometres?|meters?|metres?|miles?|grams?|kilograms?|hours?|minutes?|seconds?|days?|weeks?|months?|years?|inches|"
    r"feet|degrees?|percent|people|eggs?|apples?|units?)"
)
UNIT = rf"(?:{_METRIC}|{_OTHER})(?:\^?-?[23](?!\d))?"
"""Units that may touch a number: "5km", "30m²", "20°C"."""
COUNTER = (
    r"(?:[個个人円元年月日時时分秒本枚匹頭头台回歳岁才冊册杯点點度件只條条块名斤米里天週周개명원살번]|キロ|メートル|グラム)?"
    r"(?:です|でした|だ|입니다)?"
)
"""Characters that touch numbers in Chinese, Japanese and Korean."""
BEFORE = "は是为為約约"
"""Characters that numbers follow without a space in these languages."""
MYRIADS = {"十": 1, "百": 2, "千": 3, "万": 4, "萬": 4, "만": 4, "億": 8, "亿": 8, "억": 8, "兆": 12}
"""Powers of ten written after digits."""
MONEY_SCALES = {"k": 3, "K": 3, "m": 6, "M": 6, "mn": 6, "bn": 9, "B": 9, "b": 9}
"""Powers of ten after an amount of money; after other numbers they may be units."""
SCALES = {
    **dict.fromkeys(("hundred", "hundert"), 2),
    **dict.fromkeys(("thousand", "thousands", "tausend", "tsd", "mille"), 3),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 5),
    **dict.fromkeys(("million", "millions", "millionen", "mio", "millones", "millón", "milhões", "milhão"), 6),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys(("billion", "milliarden", "milliarde", "mrd", "milliard", "milliards", "bn"), 9),
    "trillion": 12,
}
"""Words after a number that multiply it by a power of ten. A billion is 10^9, as in English."""
UNSURE_SCALES = words(
    "k m mn mln mld mil mila bilhão bilhões billionen billones billón trillionen grand тысяч тысячи тыс млн млрд "
    "миллион миллиона миллионов tysięcy miljoen miljoner score gross dutzend douzaine docena myriad"
)
"""Words that may multiply a number, by an uncertain factor. Single letters count only if they are not units."""
