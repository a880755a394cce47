"""Byte tokenizers with any chat template, and folders that a plan accepts as models with them.

Transformers loads torch where it makes these, so it is imported in the functions: collecting tests needs neither.
"""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def chat_tokenizer(template):
    """One token per byte, a start and an end token, and ``template``: a text, or a mapping of names to texts."""
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=template
    )


def model_folder(folder, template):
    """Write the files that a plan reads: a configuration, a tokenizer, and a placeholder for the weights."""
    from transformers import LlamaConfig

    LlamaConfig(vocab_size=258, max_position_embeddings=100_000).save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"weights")
    chat_tokenizer(template).save_pretrained(folder)
    return str(folder)


def write_items(path, questions=("Which colour wins?",)):
    """Write a file of choices, and return the task that reads it."""
    rows = [{"question": question, "choices": ["red", "blue"], "gold": "A"} for question in questions]
    path.write_text("\n".join(map(json.dumps, rows)))
    fields = {name: name for name in ("question", "choices", "gold")}
    return {"name": "t", "file": str(path), "fields": fields, "n": len(rows)}
