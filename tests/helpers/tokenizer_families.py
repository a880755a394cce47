"""Small tokenizers of every family that language models use, to test joins on each."""

import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPACE = "\u2581"
CORPUS = ["Which colour wins? Let's think: Red cars drive. Blue boats sail! So the answer is (A"] * 20
SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")


def _finished(tokenizer, template="<s> $A", **options):
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    ids = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", **options)


def _trained(tokenizer, alphabet=(), unknown=()):
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=list(alphabet), special_tokens=list(unknown), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level(prefix=False, **options):
    """GPT-2, Llama 3, Qwen; ``prefix`` puts a space before every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    return _finished(_trained(tokenizer, pre_tokenizers.ByteLevel.alphabet()), **options)


def sentencepiece(kind="legacy", **options):
    """Llama 2, Mistral, TinyLlama, Phi-3 (``legacy``: a normalizer puts the space; ``first``: a pre-tokenizer)."""
    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(SPACE, prepend_scheme="always", split=True), pre_tokenizers.Punctuation()]
    )
    learned = json.loads(_trained(words, [*map(chr, range(33, 127)), SPACE, "\n"], ["<unk>"]).to_str())["model"]
    vocab, merges = learned["vocab"], [tuple(pair) for pair in learned["merges"]]
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if kind == "legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _finished(tokenizer, **options)


def unigram(**options):
    """T5, XLNet, Gemma: pieces with a mark for the space, which precedes every text."""
    pieces = {letter for text in CORPUS for letter in text} - {" "}
    pieces |= {f"{SPACE}{word}" for text in CORPUS for word in text.split()} | {SPACE}
    scores = [("<unk>", -20.0), *((piece, -5.0 / len(piece)) for piece in sorted(pieces))]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme="always")
    return _finished(tokenizer, **options)


def word_level(**options):
    """Whole words, which decoding joins with blanks."""
    words = {word for text in CORPUS for word in text.split()}
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["<unk>", *sorted(words)])}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _finished(tokenizer, **options)


def word_ends(**options):
    """The first GPT: the last piece of a word has a mark."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _finished(tokenizer, **options)


FAMILIES = {
    "byte_level": byte_level,
    "byte_level_prefix": lambda **options: byte_level(prefix=True, **options),
    "sentencepiece_legacy": lambda **options: sentencepiece("legacy", **options),
    "sentencepiece_first": lambda **options: sentencepiece("first", **options),
    "unigram": unigram,
    "word_level": word_level,
    "word_ends": word_ends,
}
BYTES = ("byte_level", "byte_level_prefix", "sentencepiece_legacy", "sentencepiece_first")
"""The tokenizers that can write any character."""
