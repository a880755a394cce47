"""A Llama with random weights, as a folder that any engine loads: speed does not depend on a model's knowledge.

    python benchmarks/random_model.py --model FOLDER [--shape 8b] [--dtype bfloat16] [--layers 8] [--json FILE]

In: a shape by name, and a folder. Out: safetensors and a tokenizer trained on the benchmarks' own texts, so words take
about as many tokens as with a real model. tiny: runs anywhere in seconds. 135m: as SmolLM2 135M, with
a small vocabulary. 8b: as Llama 3 8B.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast
from transformers.utils import logging

from cotfaith.workers.tasks.generators.tracking_objects import NAMES, STORIES

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 1024,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "135m": {
        "vocab_size": 1024,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
CONTEXT = 8192
SPREAD = 1.28
"""The spread of a projection's output, as with Llama 3 8B's 4096 inputs and weights of 0.02: narrower shapes have wider
weights. With 0.02 in all of them, attention in a tiny model is all but even, and a wrong mask changes next to nothing.
"""
WORDS = """Human: Assistant: Question: Choices: At the start, has and swap now, so that the Then pairs of them swap what
they have. First, Finally, At the end, which of does have? Let's think step by step: Given all of the above, what's the
single, most likely answer? The single, most likely answer is ( ..."""
"""The prompts' words around the stories, from which the tokenizer learns its words."""


def write_random_model(folder: Path, shape: str, dtype: str, device: str, layers: int | None = None) -> int:
    """Write the model and its tokenizer to ``folder``; return how many weights it has. ``layers``: not the shape's."""
    tokenizer = _tokenizer()
    fields = SHAPES[shape] | ({"num_hidden_layers": layers} if layers else {})
    config = LlamaConfig(
        **fields,
        initializer_range=SPREAD / fields["hidden_size"] ** 0.5,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    logging.disable_progress_bar()
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(weights.numel() for weights in model.parameters())


def run(options: argparse.Namespace, console: Console) -> bool:
    """Write the model, and how large it is."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    count = write_random_model(options.model, options.shape, options.dtype, device, options.layers)
    console.print(f"wrote a model of {count:,} weights in {options.dtype}", highlight=False)
    if options.json:
        found = {"shape": options.shape, "dtype": options.dtype, "layers": options.layers, "weights": count}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return True


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", type=Path, required=True, help="the folder to write")
    made.add_argument("--shape", default="8b", choices=SHAPES)
    made.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    made.add_argument("--layers", type=int, help="as many as the shape has by default")
    made.add_argument("--json", type=Path, help="write the model's size here")
    return made.parse_args(arguments)


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=1000, initial_alphabet=letters, min_frequency=1, show_progress=False)
    stories = [" ".join((story.opening, story.plural, *story.objects)) for story in STORIES]
    tokenizer.train_from_iterator([WORDS, " ".join(NAMES), *stories], trainer)
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


if __name__ == "__main__":
    run(options_of(), Console(width=120))
