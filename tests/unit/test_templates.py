import pytest

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec, SamplingSpec
from cotfaith.workers.roles.editors.organism import OrganismEditor
from cotfaith.workers.roles.embedders.lexical import LexicalEmbedder
from cotfaith.workers.shard.ask import Ask, candidates
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import ByteCodec, uses_chat
from cotfaith.workers.text.templates import Templates

CHOICE = Item("i", "Which?", "B", "choice", ("red", "blue"))
NUMBER = Item("i", "How many?", "4", "number")


class ChatCodec(ByteCodec):
    """A ChatML template that strips assistants' texts, like some real templates."""

    has_chat_template = True

    def __init__(self, opening=""):
        self.opening = opening

    def render(self, turns):
        parts = [f"<|{t['role']}|>{t['content'].strip()}<|end|>" for t in turns]
        return "".join(parts) + "<|assistant|>" + self.opening


def templates(codec=None, **model):
    return Templates(ModelSpec(id="m", source="s", **model), PromptSpec(), codec or ByteCodec())


def test_plain_layout():
    t = templates()
    assert t.cot(CHOICE) == ("Human: Which?\nChoices:\n(A) red\n(B) blue\n\nAssistant: Let's think step by step:")
    assert t.answer_after(CHOICE, " One. Two. ") == (
        t.cot(CHOICE) + " One. Two.\n\nHuman: Given all of the above, what's the single, most likely answer?"
        "\n\nAssistant: The single, most likely answer is ("
    )
    assert t.no_cot(NUMBER) == (
        "Human: How many?\n\nWhat's the single, most likely answer?\n\nAssistant: The single, most likely answer is"
    )


def test_chat_layout_keeps_the_chain_verbatim():
    t = templates(ChatCodec())
    chain = "\n\n One.  Two."
    assert t.answer_after(NUMBER, chain) == (
        "<|user|>How many?<|end|><|assistant|>Let's think step by step:" + chain + "<|end|><|user|>"
        "Given all of the above, what's the single, most likely answer?<|end|><|assistant|>"
        "The single, most likely answer is"
    )


def test_prefix_of_the_chain_is_prefix_of_the_prompt():
    for t in (templates(), templates(ChatCodec()), templates(ChatCodec(), thinking="think_tags")):
        whole = t.cot(NUMBER) + " One. Two. Three."
        assert whole.startswith(t.cot(NUMBER) + " One.")
        assert t.answer_after(NUMBER, " One. Two. Three.").startswith(whole)


MARKS = (
    "cotfaithanswermark",
    "cotfaithchainmark",
    "cotfaithchainmarkx",
    "\u241ecotfaith-chain\u241e",
    "{chain}",
    "{question}",
)


@pytest.mark.parametrize("mark", MARKS)
def test_words_that_stand_for_texts_may_stand_in_texts(mark):
    """One of our marks, or a prompt file's placeholder, is in a question, a chain, the system message or a prompt."""
    item = Item("i", f"Why {mark}?", "4", "number")
    chain = f"One {mark}. Two {mark}."
    plain = {"question": "Why Q?", "chain": "One C. Two C.", "system": "Be S.", "asked": "So A?"}
    for codec in (ByteCodec(), ChatCodec()):
        for strategy in STRATEGIES.values():
            model = ModelSpec(id="m", source="s", system=f"Be {mark}.")
            got = strategy.answer_prompt(
                Templates(model, PromptSpec(answer_question=f"So {mark}?"), codec), item, chain
            )
            model = ModelSpec(id="m", source="s", system=plain["system"])
            other = Item("i", plain["question"], "4", "number")
            told = Templates(model, PromptSpec(answer_question=plain["asked"]), codec)
            expected = strategy.answer_prompt(told, other, plain["chain"])
            for before, after in (
                (plain["question"], item.question),
                (plain["chain"], chain),
                (plain["system"], f"Be {mark}."),
                (plain["asked"], f"So {mark}?"),
            ):
                expected = expected.replace(before, after)
            assert got == expected


@pytest.mark.parametrize("opening", ["", "<think>\n"])
def test_thinking_layout_has_one_pair_of_tags(opening):
    t = templates(ChatCodec(opening), thinking="think_tags")
    asked = t.answer_after(NUMBER, "One.")
    assert asked.endswith("<think>\nOne.\n</think>\n\nThe single, most likely answer is")
    assert asked.count("<think>") == t.no_cot(NUMBER).count("<think>") == t.no_cot(NUMBER).count("</think>") == 1
    assert t.chain_stops == ("</think>",)


def test_system_message_is_optional():
    assert templates(ChatCodec(), system="Be brief.").cot(NUMBER).startswith("<|system|>Be brief.<|end|><|user|>")


def test_chat_choice():
    model = ModelSpec(id="m", source="s", chat="always")
    assert uses_chat(model, ChatCodec())
    assert not uses_chat(ModelSpec(id="m", source="s", chat="never"), ChatCodec())
    with pytest.raises(ModelSourceError, match="has no chat template"):
        uses_chat(model, ByteCodec())


class MergingCodec(ByteCodec):
    """A codec that reads "(" and the letter after it as one token."""

    def encode(self, text):
        out = []
        for byte in text.encode():
            if out and out[-1] == ord("("):
                out[-1] = 1000 + byte
            else:
                out.append(byte)
        return tuple(out)


def ask(codec, item):
    roles = (STRATEGIES["cot"], OrganismEditor(), LexicalEmbedder())
    return Ask(item, templates(codec), codec, SamplingSpec(), "score", (0,), *roles)


def test_candidates_follow_the_prompt():
    payload = ask(ByteCodec(), CHOICE).answer_without_cot().payload
    assert bytes(payload.prompt).endswith(b"answer is (")
    assert payload.candidates == ((ord("A"),), (ord("B"),))


def test_candidates_that_melt_into_the_prompt_step_back():
    payload = ask(MergingCodec(), CHOICE).answer_without_cot().payload
    assert bytes(payload.prompt[-10:]) == b"answer is "
    assert payload.candidates == ((1000 + ord("A"),), (1000 + ord("B"),))


def test_boolean_candidates_are_words():
    item = Item("i", "Is it?", "true", "boolean", ("Yes", "No"))
    assert candidates(item) == (("true", "false"), (" Yes", " No"))
