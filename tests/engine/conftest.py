"""Models for the engine's tests: tiny ones with random weights, and a real one where its package is installed."""

from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.workers.demo import prepare_smollm2

REPOSITORY = Path(__file__).resolve().parents[2]
CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)
SIZE = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON = {**SIZE, "max_position_embeddings": 256, "bos_token_id": 256, "eos_token_id": 257, "pad_token_id": 257}


def byte_tokenizer():
    """One token a byte, and two special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=CHAT
    )


def config_of(kind):
    if kind == "llama":
        return transformers.LlamaConfig(**COMMON, num_key_value_heads=2)
    if kind == "qwen2":
        return transformers.Qwen2Config(**COMMON, num_key_value_heads=2)
    if kind == "gpt_neox":
        return transformers.GPTNeoXConfig(**COMMON)
    if kind == "mistral":
        return transformers.MistralConfig(**COMMON, num_key_value_heads=2, sliding_window=8)
    if kind == "gemma3":
        return transformers.Gemma3TextConfig(**COMMON, num_key_value_heads=2, head_dim=8, sliding_window=8)
    if kind == "mamba":
        return transformers.MambaConfig(
            vocab_size=258, hidden_size=32, num_hidden_layers=2, state_size=8, eos_token_id=257
        )
    assert kind == "bloom", kind
    return transformers.BloomConfig(vocab_size=258, hidden_size=32, n_layer=2, n_head=4, eos_token_id=257)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A function that makes a folder with a random model of a kind; weights are wide, so that contexts matter."""
    made = {}

    def make(kind="llama"):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            torch.manual_seed(0)
            model = transformers.AutoModelForCausalLM.from_config(config_of(kind))
            with torch.no_grad():
                for weights in model.parameters():
                    if weights.ndim == 2:
                        weights.mul_(6)
            model.save_pretrained(folder)
            byte_tokenizer().save_pretrained(folder)
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture(scope="session")
def smollm2():
    """Folder with SmolLM2-135M-Instruct, converted once into the repository's cache."""
    try:
        return prepare_smollm2(REPOSITORY / ".cache" / "models", print)
    except ModelSourceError as error:
        pytest.skip(str(error))
