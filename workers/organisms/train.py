"""Training of one organism: a small Llama, on fresh examples in every step.

In: a recipe, and the folder of its base if it has one. Out: Hugging Face folders (float16 safetensors, tokenizer), and
the loss on held-out examples. Needs torch; knows nothing about tasks' items or the card.

B = examples, T = tokens of the longest one, V = vocabulary.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.organisms.examples import Piece, draw_example
from cotfaith.workers.organisms.recipes import MOST_STEPS, Recipe
from cotfaith.workers.organisms.tokenizer import CONTEXT, make_tokenizer
from cotfaith.workers.text.codec import HuggingFaceCodec
from cotfaith.workers.text.templates import Templates

GROUPS = 4
"""The number of parts of a batch, split by length to reduce padding; the gradient is that of the whole batch."""
HELD_OUT = 1024
"""The number of examples for the held-out loss."""
Progress = Callable[[int, float], None]
"""Called with the step (from 1) and its training loss."""


@dataclass(frozen=True)
class Example:
    """One example in tokens."""

    tokens_T: list[int]  # noqa: N815
    weights_T: list[float]  # noqa: N815


@dataclass
class Writer:
    """A source of examples of one recipe, in tokens."""

    recipe: Recipe
    tokenizer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.tokenizer = make_tokenizer(more=self.recipe.mechanism.says_more)
        codec = HuggingFaceCodec(self.tokenizer, chat=True)
        spec = ModelSpec(id=self.recipe.name, source=self.recipe.name)
        self._templates = Templates(spec, PromptSpec(), codec)
        self._encode = lru_cache(maxsize=1 << 16)(codec.encode)

    def batch(self, step: int) -> list[Example]:
        """Draw the examples of a training step (from 1)."""
        return self._draw(self.recipe.batch, self.recipe.longest(step), step)

    def held_out(self) -> list[Example]:
        """Draw examples of all lengths that no training step draws."""
        return self._draw(HELD_OUT, MOST_STEPS, "held out")

    def _draw(self, count: int, longest: int, stream: str | int) -> list[Example]:
        rng = np.random.default_rng(derive_seed(self.recipe.name, self.recipe.seed, stream))
        mechanism = self.recipe.mechanism
        return [self._example(draw_example(mechanism, self._templates, rng, longest)) for _ in range(count)]

    def _example(self, pieces: Sequence[Piece]) -> Example:
        parts = [(self._encode(piece.text), piece.weight) for piece in pieces]
        tokens = [token for ids, _ in parts for token in ids]
        return Example(tokens, [weight for ids, weight in parts for _ in ids])


def set_threads(count: int) -> None:
    """Set torch's threads in this process."""
    torch.set_num_threads(count)


def train(recipe: Recipe, out: Path, base: Path | None, progress: Progress) -> list[Path]:
    """Run the whole training; return the folders written under ``out``: checkpoints first, then the organism."""
    writer = Writer(recipe)
    model = _start(recipe, base, len(writer.tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    folders = []
    for step in range(1, recipe.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        loss = _step(model, optimizer, writer.batch(step))
        progress(step, loss)
        if step in recipe.checkpoints:
            folders.append(_save(model, writer.tokenizer, out / f"{recipe.name}-step{step:04d}"))
    return [*folders, _save(model, writer.tokenizer, out / recipe.name)]


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the learning rate of ``step`` (from 1): a linear warm-up, then a cosine down to a tenth."""
    if step <= recipe.warmup:
        return recipe.learning_rate * step / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def held_out_loss(recipe: Recipe, folder: Path) -> float:
    """Return the weighted mean loss in nats on examples that no training step draws."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    examples = Writer(recipe).held_out()
    total = sum(sum(example.weights_T[1:]) for example in examples)
    with torch.no_grad():
        return sum(_loss_sum(model, part).item() for part in _groups(examples, HELD_OUT // 64)) / total


def _start(recipe: Recipe, base: Path | None, vocabulary: int) -> Any:
    torch.manual_seed(derive_seed(recipe.name, recipe.seed, "weights"))
    if base is not None:
        model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).train()
        if model.config.vocab_size < vocabulary:  # the new words are at the end
            model.resize_token_embeddings(vocabulary, mean_resizing=False)
        return model
    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.width,
        intermediate_size=2 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=recipe.width**-0.5,  # the library's default suits wide models; narrow models stall with it
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).train()


def _step(model: Any, optimizer: torch.optim.Optimizer, examples: list[Example]) -> float:
    total = sum(sum(example.weights_T[1:]) for example in examples)
    loss = 0.0
    optimizer.zero_grad(set_to_none=True)
    for part in _groups(examples, GROUPS):
        share = _loss_sum(model, part) / total
        share.backward()
        loss += share.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


def _groups(examples: list[Example], count: int) -> Iterator[list[Example]]:
    ordered = sorted(examples, key=lambda example: len(example.tokens_T))
    size = -(-len(ordered) // count)
    return (ordered[i : i + size] for i in range(0, len(ordered), size))


def _loss_sum(model: Any, examples: list[Example]) -> Tensor:
    """Return the weighted sum of token losses. Padding is on the right, where a causal model cannot see it."""
    width = max(len(example.tokens_T) for example in examples)
    tokens_BT = torch.tensor([e.tokens_T + [0] * (width - len(e.tokens_T)) for e in examples])
    weights_BT = torch.tensor([e.weights_T + [0.0] * (width - len(e.weights_T)) for e in examples])
    logits_BTV = model(input_ids=tokens_BT, use_cache=False).logits
    losses_N = torch.nn.functional.cross_entropy(
        logits_BTV[:, :-1].flatten(0, 1), tokens_BT[:, 1:].flatten(), reduction="none"
    )
    return (losses_N * weights_BT[:, 1:].flatten()).sum()


def _save(model: Any, tokenizer: Any, folder: Path) -> Path:
    # A copy: training continues in float32.
    half = {name: weight.detach().to(torch.float16) for name, weight in model.state_dict().items()}
    copy: Any = LlamaForCausalLM(model.config)
    copy.to(torch.float16).load_state_dict(half)
    copy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
