"""Tiny models with random weights, as folders that any engine loads; weights are large, so that contexts matter."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)
SIZE = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON = {**SIZE, "max_position_embeddings": 256, "bos_token_id": 256, "eos_token_id": 257, "pad_token_id": 257}
WINDOWED = {
    "num_key_value_heads": 2,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"],
}
TEXT = "the cat sat on the mat and then the other cat sat there; so they both sat, as cats do, on that one mat"


def byte_tokenizer():
    """One token per byte, and two special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _finished(tokenizer)


def word_tokenizer():
    """Tokens of one byte and of several, and two special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=letters, min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    return _finished(tokenizer)


def _finished(tokenizer):
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=CHAT
    )


def words_config(tokenizer):
    """For ``word_tokenizer``; its heads are wide enough for vLLM on the CPU."""
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    size = {"vocab_size": len(tokenizer), "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32}
    return transformers.LlamaConfig(**{**COMMON, **size, **special, "pad_token_id": None}, num_key_value_heads=2)


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
        return transformers.Gemma3TextConfig(**COMMON, **WINDOWED, head_dim=8)
    if kind == "gemma3_capped":  # a soft cap of the logits only, which nearly all of them reach
        return transformers.Gemma3TextConfig(**COMMON, **WINDOWED, head_dim=8, final_logit_softcapping=1.0)
    if kind == "granite":  # logits are divided
        return transformers.GraniteConfig(**COMMON, num_key_value_heads=2, logits_scaling=4.0)
    if kind == "cohere":  # logits are multiplied
        return transformers.CohereConfig(**COMMON, num_key_value_heads=2, logit_scale=0.25)
    if kind == "mixtral":  # its layers return more than states
        return transformers.MixtralConfig(**COMMON, num_key_value_heads=2, num_local_experts=2)
    if kind == "gemma2":  # soft caps
        return transformers.Gemma2Config(**COMMON, **WINDOWED, head_dim=8)
    if kind == "qwen2_window":
        return transformers.Qwen2Config(**COMMON, **WINDOWED, use_sliding_window=True)
    if kind == "stablelm":  # passes no unknown arguments on to its attention
        return transformers.StableLmConfig(**COMMON, num_key_value_heads=2)
    if kind == "llama4":
        return transformers.Llama4TextConfig(
            **COMMON,
            num_key_value_heads=2,
            head_dim=8,
            attention_chunk_size=32,
            num_local_experts=2,
            intermediate_size_mlp=64,
        )
    if kind == "mamba":
        return transformers.MambaConfig(
            vocab_size=258, hidden_size=32, num_hidden_layers=2, state_size=8, eos_token_id=257
        )
    if kind == "mamba2":
        return transformers.Mamba2Config(
            vocab_size=258, hidden_size=32, num_hidden_layers=2, state_size=8, head_dim=8, num_heads=8, n_groups=1,
            chunk_size=16, eos_token_id=257,
        )  # fmt: skip
    if kind == "qwen3_next":  # gated delta rule, and attention
        return transformers.Qwen3NextConfig(
            **{**COMMON, "num_hidden_layers": 4}, num_key_value_heads=2, head_dim=8, linear_num_value_heads=4,
            linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8, num_experts=2,
            num_experts_per_tok=1, moe_intermediate_size=16, shared_expert_intermediate_size=16,
        )  # fmt: skip
    if kind == "lfm2":  # short convolutions, and attention
        return transformers.Lfm2Config(
            **COMMON, num_key_value_heads=2, layer_types=["conv", "full_attention"], block_multiple_of=8
        )
    assert kind == "bloom", kind
    return transformers.BloomConfig(vocab_size=258, hidden_size=32, n_layer=2, n_head=4, eos_token_id=257)


def write_model(folder, kind):
    """Write a model and its tokenizer; kind ``words`` is a llama with ``word_tokenizer``."""
    tokenizer = word_tokenizer() if kind == "words" else byte_tokenizer()
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(
        words_config(tokenizer) if kind == "words" else config_of(kind)
    )
    widen = 3 if kind == "words" else 6
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim == 2:
                weights.mul_(widen)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
