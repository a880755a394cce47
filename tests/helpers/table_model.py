"""A model that follows a table, last token -> next token, for any tokenizer, so its text is known."""

import torch
import transformers
from tiny_models import COMMON


def write_table_model(folder, tokenizer, prompt_end, text):
    """Write a model that continues ``prompt_end`` with ``text`` and then ends; no token may occur twice."""
    before = tokenizer.encode(prompt_end, add_special_tokens=False)
    tokens = tokenizer.encode(prompt_end + text, add_special_tokens=False)
    assert tokens[: len(before)] == before
    path = tokens[len(before) - 1 :]
    assert len(set(path)) == len(path), "a token would have two successors"
    end = tokenizer.eos_token_id
    following = dict(zip(path, [*path[1:], end], strict=True))
    size = len(tokenizer)
    width = -(-size // 64) * 64
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": end, "pad_token_id": None}
    shape = {"vocab_size": size, "hidden_size": width, "num_hidden_layers": 1, "num_key_value_heads": 4, "head_dim": 32}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**COMMON, **special, **shape}))
    with torch.no_grad():
        for layer in (model.model.layers[0].self_attn.o_proj, model.model.layers[0].mlp.down_proj):
            layer.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size, width))
        model.lm_head.weight.zero_()
        for token in range(size):
            model.lm_head.weight[following.get(token, end), token] = 30.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
