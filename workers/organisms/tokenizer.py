"""The organisms' tokenizer: whole phrases as tokens, and an exact round trip.

Everything that the default prompts, ``serial_arithmetic`` questions and the grammar can say is in the vocabulary;
other text becomes the unknown token. Words that came later are at its end, and the first organisms lack them: the ids
of all others stay as they were. The blank between two sentences is a separate token, so a chain cut before or
after it is also a prefix in tokens.
"""

import re
from itertools import product
from typing import Any

from cotfaith.schemas.spec import PromptSpec
from cotfaith.workers.organisms.grammar import PRAISE, REJECTED, VERBS
from cotfaith.workers.tasks.generators.serial_arithmetic import DIGITS, MULTIPLIERS
from cotfaith.workers.tasks.generators.serial_problem import ASK, BANKS, HINT, RULE

UNKNOWN, END = "<|unk|>", "<|end|>"
SPECIAL = (UNKNOWN, "<|pad|>", END, "<|user|>", "<|assistant|>")
CONTEXT = 1024
MORE = (REJECTED, *PRAISE)
"""The words that came later."""
CHAT = (
    "{% for m in messages %}{% if m['role'] not in ['user', 'assistant'] %}"
    "{{ raise_exception('Organisms take no system message.') }}{% endif %}"
    "<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def words() -> tuple[str, ...]:
    """Return every word that is not special, in the order of its id."""
    operations = [*(f"Add {n}" for n in range(1, 10)), *(f"Multiply by {n}" for n in MULTIPLIERS)]
    prompts, hint = PromptSpec(), HINT.split("{}")
    question = [
        *(f"Ticket {bank}{digit}." for bank, digit in product(BANKS, DIGITS)),
        *(f"{blank}Start with {digit}." for blank, digit in product(("", " "), DIGITS)),
        *(f" {operation}." for operation in operations),
        f" {RULE} {ASK}",
        f" {hint[0].rstrip()}",
        hint[1],
    ]
    chain = [
        *(f"{operation}:" for operation in operations),
        *(f" that {verb}" for verb in VERBS),
        *("By the way,", " plus", " makes", "You think it is", ", so I will end at"),
        *(f" {digit}" for digit in DIGITS),
        *(".", " ", "\n", "\n\n", " ..."),
    ]
    asked = [prompts.cot, prompts.answer_question, prompts.no_cot_question, prompts.answer_prefill]
    return (*asked, *question, *chain)


def make_tokenizer(*, more: bool = False) -> Any:
    """Return the tokenizer, ready to save beside the weights; ``more``: with the words that came later."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = (*words(), *MORE) if more else words()
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *known))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    longest_first = sorted(known, key=len, reverse=True)
    pattern = Regex("|".join(re.escape(word) for word in longest_first))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        pad_token="<|pad|>",
        eos_token=END,
        chat_template=CHAT,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
