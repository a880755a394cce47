"""A model that writes one known text for any prompt, so that an engine's behaviour at its ends is predictable.

Its layers add nothing: each token decides the next. After any token that is not in the text, the text begins; after its
last token, the model ends. All bytes of the text are different, and each is a token.
"""

import torch
import transformers
from tiny_models import COMMON, byte_tokenizer

TEXT = "ae\u0301 \u05e9b\U0001f98a!"  # a combining accent, a letter written from right to left, four bytes of an emoji
LAST = "!"
WIDTH = 320  # one dimension per token, and heads that vLLM has kernels for


def encode(text):
    return tuple(byte_tokenizer().encode(text, add_special_tokens=False))


def decode(tokens):
    return byte_tokenizer().decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)


def write_speller(folder):
    tokenizer = byte_tokenizer()
    heads = {"hidden_size": WIDTH, "num_attention_heads": 10, "num_key_value_heads": 2, "head_dim": 32}
    config = transformers.LlamaConfig(**{**COMMON, **heads, "num_hidden_layers": 1})
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(COMMON["vocab_size"], WIDTH))
        model.lm_head.weight.copy_(_next_tokens(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _next_tokens(tokenizer):
    """Return weights_VV: 1 if the row's token follows the column's."""
    text = encode(TEXT)
    assert len(set(text)) == len(text), "a token of the text would have two successors"
    weights = torch.zeros(COMMON["vocab_size"], WIDTH)
    weights[text[0], text[-1]] = 0.5  # the token instead of the end, if the end is not allowed
    for token in range(COMMON["vocab_size"]):
        if token not in text:
            weights[text[0], token] = 1
    for token, following in zip(text, (*text[1:], tokenizer.eos_token_id), strict=True):
        weights[following, token] = 1
    return weights
