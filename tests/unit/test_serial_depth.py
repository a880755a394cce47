"""Opaque serial depth: values by hand for several kinds of configuration, what has none, and where it is shown."""

import json
from types import SimpleNamespace

import pytest
from estimate_rows import estimate
from hypothesis import given
from hypothesis import strategies as st
from report_rows import EVIL, tables
from rich.console import Console
from run_records import run_record

from cotfaith.cluster.cli.necessity_table import necessity_table
from cotfaith.cluster.plan import serial_depth as module
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.plan.serial_depth import serial_depth, serial_depths
from cotfaith.cluster.plan.serial_operations import levels
from cotfaith.cluster.report.depths import depth_data, depth_lines, depths_in_words, in_words
from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_folder import parse_run
from cotfaith.schemas.run_objects import SerialDepth
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.resolved import resolve

SMOLLM2 = {
    "model_type": "llama",
    "num_hidden_layers": 30,
    "hidden_size": 576,
    "num_attention_heads": 9,
    "intermediate_size": 1536,
    "hidden_act": "silu",
}
GEMMA3 = {
    "model_type": "gemma3_text",
    "num_hidden_layers": 18,
    "hidden_size": 640,
    "num_attention_heads": 4,
    "head_dim": 256,
    "intermediate_size": 2048,
    "hidden_activation": "gelu_pytorch_tanh",
    "sliding_window": 512,
    "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 3,
}
MAMBA = {
    "model_type": "mamba",
    "num_hidden_layers": 24,
    "hidden_size": 768,
    "intermediate_size": 1536,
    "state_size": 16,
    "conv_kernel": 4,
    "time_step_rank": 48,
    "hidden_act": "silu",
}
JAMBA = {
    "model_type": "jamba",
    "num_hidden_layers": 4,
    "hidden_size": 512,
    "num_attention_heads": 8,
    "intermediate_size": 1024,
    "layers_block_type": ["mamba", "attention", "mamba", "mamba"],
    "mamba_expand": 2,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_dt_rank": 32,
    "num_experts": 1,
    "num_experts_per_tok": 2,
    "hidden_act": "silu",
}
GPT2 = {
    "model_type": "gpt2",
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "n_inner": None,
    "activation_function": "gelu_new",
}
MIXTRAL = SMOLLM2 | {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}


def config(known, **more):
    return SimpleNamespace(**known | more)


def test_a_llama_by_hand():
    """At 32,768 positions, whose logarithm is 15; those of 64, 576 and 1536 are 6, 10 and 11."""
    norm, into, out = 10 + 6, 10 + 2, 11 + 2
    softmax = 15 + 1 + 1 + 15 + 1
    attention = into + 3 + (1 + 6) + 1 + 1 + softmax + (1 + 15) + into
    layer = norm + attention + 1 + norm + (into + 2 + 1 + out) + 1
    assert layer == 147
    found = serial_depth(config(SMOLLM2))
    assert found == SerialDepth(
        operations=1 + 30 * layer + norm + into, positions=32_768, layers=30, recurrent_layers=0
    )
    assert found.operations == 4439


@pytest.mark.parametrize(
    ("known", "operations", "recurrent"),
    [
        (GEMMA3, 1 + 3 * 202 + 15 * 184 + 28, 0),  # a window of 512 takes 3 x 6 operations less than 32,768 positions
        (MAMBA, 1 + 24 * (17 + 106) + 28, 24),
        (JAMBA, 1 + 3 * 159 + 141 + 26, 3),
        (JAMBA | {"num_experts": 16}, 1 + 3 * 170 + 152 + 26, 3),  # the router takes longer than an expert
        (GPT2, 1 + 12 * (2 * 30 + 85 + 12 + 7 + 1 + 14) + 29 + 12, 0),
        (MIXTRAL, 1 + 30 * (147 - 28 + (12 + 9 + 3 + 5 + 1) + 4) + 28, 0),  # router, then the sum of 8
    ],
)
def test_other_kinds_by_hand(known, operations, recurrent):
    found = serial_depth(config(known))
    assert (found.operations, found.recurrent_layers) == (operations, recurrent)
    assert found.layers == known["num_hidden_layers"]


def test_a_model_that_sees_pictures_is_its_language_model():
    whole = SimpleNamespace(model_type="gemma3", text_config=config(GEMMA3), is_encoder_decoder=False)
    assert serial_depth(whole) == serial_depth(config(GEMMA3))
    assert serial_depth(SimpleNamespace(model_type="other", text_config=config(GEMMA3))).operations is None


def test_hybrids_may_name_their_layers_either_way():
    kinds = ["linear_attention", "full_attention", "linear_attention", "linear_attention"]
    other = {name: value for name, value in JAMBA.items() if name != "layers_block_type"} | {"layer_types": kinds}
    assert serial_depth(config(other)) == serial_depth(config(JAMBA))


def test_blocks_side_by_side_count_once():
    neox = SMOLLM2 | {"model_type": "gpt_neox", "hidden_act": "gelu"}
    apart, beside = (serial_depth(config(neox, use_parallel_residual=how)).operations for how in (False, True))
    assert apart - beside == 30 * (2 * 10 + 9 + 12 + 4 + 1 + 13)  # the norm and the block, which are shorter


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"model_type": "t5", "is_encoder_decoder": True}, "an encoder and a decoder"),
        ({"model_type": "rwkv"}, "the architecture rwkv"),
        (SMOLLM2 | {"hidden_act": "xielu"}, "its activation 'xielu'"),
        (SMOLLM2 | {"num_hidden_layers": 0}, "states no num_hidden_layers"),
        (SMOLLM2 | {"hidden_size": "576"}, "states no hidden_size"),
        (SMOLLM2 | {"intermediate_size": [1, 2]}, "states no intermediate_size"),
        (SMOLLM2 | {"num_attention_heads": True}, "states no num_attention_heads"),
        (SMOLLM2 | {"layer_types": ["full_attention"] * 29}, "has 30 layers, and names the kinds of 29"),
        (SMOLLM2 | {"layer_types": ["looped"] * 30}, "its layers looped"),
        (GEMMA3 | {"sliding_window": None}, "states no sliding_window"),
        (MAMBA | {"state_size": None}, "states no state_size"),
    ],
)
def test_what_is_not_known_is_null_with_a_reason(known, why):
    found = serial_depth(config(known))
    assert (found.operations, found.positions, found.layers) == (None, None, None)
    assert why in found.why


@pytest.mark.parametrize("known", [SMOLLM2, GEMMA3, MAMBA, JAMBA, GPT2, MIXTRAL])
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 60))
def test_no_bound_falls_with_more_positions_or_layers(known, one, other, layers):
    few, many = sorted((one, other))
    assert serial_depth(config(known), few).operations <= serial_depth(config(known), many).operations
    plain = {name: value for name, value in known.items() if name not in ("layer_types", "layers_block_type")}
    a, b = (serial_depth(config(plain, num_hidden_layers=n)).operations for n in (layers, layers + 1))
    assert a < b


@given(st.integers(1, 10**9))
def test_levels_are_those_of_a_tree(n):
    assert 2 ** levels(n) >= n > 2 ** levels(n) // 2 or n == 1


def test_experts_add_only_their_choice_and_their_sum():
    few, many = (serial_depth(config(MIXTRAL, num_local_experts=n)).operations for n in (8, 64))
    assert many - few == 30 * 3 * (3 + 1)  # softmax 2, choice 1, sum 1 for each doubling


def model(has_weights=True, served=None, own_code=False):
    kind = SimpleNamespace(has_weights=has_weights, served_model=served)
    return SimpleNamespace(kind=kind, spec=SimpleNamespace(trust_remote_code=own_code))


def test_code_of_a_models_own_counts_only_if_it_runs(monkeypatch):
    """Many configurations name such code, and are of a family that transformers has too."""
    named = config(SMOLLM2, auto_map={"AutoModelForCausalLM": "own.Model"})
    monkeypatch.setattr(module, "model_config", lambda spec: named)
    found = serial_depths({"own": model(own_code=True), "ours": model()})
    assert (found["own"].operations, found["ours"].operations) == (None, 4439)
    assert "code of its own" in found["own"].why


def test_models_without_a_configuration_have_a_reason_and_no_number(monkeypatch):
    def unreadable(spec):
        raise ModelSourceError("no")

    monkeypatch.setattr(module, "model_config", unreadable)
    found = serial_depths({"stub": model(False), "served": model(served=lambda _: "x"), "broken": model()})
    assert {name: (one.operations, one.why) for name, one in found.items()} == {
        "stub": (None, "it has no weights"),
        "served": (None, "its server does not tell its architecture"),
        "broken": (None, "its configuration cannot be read"),
    }


KNOWN = serial_depth(config(SMOLLM2))
ITEMS = {"t": [Item(name, f"Which is {name}?", "1", "number") for name in "ab"]}


class TestRecord:
    """What run.json keeps."""

    def opened(self, store, depths, names=("m",)):
        models = [{"id": name, "engine": "stub"} for name in names]
        resolved = resolve(parse_spec({"models": models, "tasks": [{"name": "t", "generator": "addition"}]}))
        return open_run(store, resolved, identity(resolved, dict.fromkeys(names, "w")), ITEMS, depths)

    def test_a_run_of_before_gets_it_when_it_goes_on_and_keeps_what_it_has(self, tmp_path):
        store = LocalStore(tmp_path)
        assert self.opened(store, {}).serial_depth == {}
        assert "serial_depth" not in json.loads(store.get("run.json"))
        assert self.opened(store, {"m": KNOWN}).serial_depth == {"m": KNOWN}
        assert self.opened(store, {}).serial_depth == {"m": KNOWN}
        other = SerialDepth(why="it has no weights")
        run = self.opened(store, {"n": other}, ("m", "n"))
        assert run.serial_depth == {"m": KNOWN, "n": other}
        assert parse_run(store.get("run.json")) == run

    def test_a_run_without_it_is_read_and_says_null(self):
        run = parse_run(run_record(models=("m", "n")).as_json())
        assert run.serial_depth == {}
        assert depth_data(run) == {"serial_depth": {"m": None, "n": None}}
        assert depths_in_words(run) == ""
        assert depth_lines(run, [estimate("no_cot_horizon")]) == []


class TestShown:
    """Report, terminal and JSON."""

    def run(self, name="m", depth=KNOWN):
        return run_record(models=(name, "other"), serial_depth={name: depth.model_dump()})

    def test_in_words(self):
        assert in_words(KNOWN) == "at most 4,439 (30 layers)"
        assert in_words(serial_depth(config(JAMBA))).endswith("(4 layers, 3 of them recurrent)")
        assert in_words(SerialDepth(why="it has no weights")) == "not known: it has no weights"
        assert in_words(None) == "not known"
        assert depths_in_words(self.run()) == "operations in a row before a token: m: at most 4,439 (30 layers)"

    def test_lines_are_beside_the_measured_horizon(self):
        beyond = {"value": None, "ci_low": None, "ci_high": None, "interval": "beyond_range: above 8"}
        rows = [
            estimate("no_cot_horizon", value=3.2, ci_low=2.5, ci_high=None),
            estimate("no_cot_horizon", model="other", **beyond),
            estimate("no_cot_horizon", method="filler"),
            estimate("no_cot_horizon", task="u", value=None, withheld="because"),
        ]
        found = [(line.model, line.task, line.horizon, line.depth) for line in depth_lines(self.run(), rows)]
        assert found == [
            ("m", "t", "3.2 [2.5, ?]", "at most 4,439 (30 layers)"),
            ("other", "t", "above 8", "not known"),
            ("m", "u", "withheld", "at most 4,439 (30 layers)"),
        ]

    def test_the_report_has_both_with_their_units_and_escapes_what_a_record_says(self):
        rows = tables(models=("m", "other"))
        made = aggregate(*rows, run_id="r", seed=0)
        html = render(self.run(), *rows, made)
        assert "What it did without a chain, and the most it could do" in html
        for text in ("Horizon, in difficulty", "Serial depth, in operations", "at most 4,439 (30 layers)", "32,768"):
            assert text in html
        assert "The two have different units" in html
        evil = render(self.run(depth=SerialDepth(why=EVIL)), *rows, made)
        assert "<script>alert" not in evil
        assert evil.count("not known: &lt;script&gt;") == 2  # the run's facts, and the line
        old = render(run_record(models=("m", "other")), *rows, made)
        assert "the most it could do" not in old
        assert "Serial depth" not in old

    def test_json_has_all_of_the_models_that_are_shown(self):
        assert depth_data(self.run(), ("m",)) == {"serial_depth": {"m": KNOWN.model_dump()}}
        assert depth_data(self.run())["serial_depth"]["other"] is None

    def test_the_terminal_has_a_column_only_if_some_are_known(self):
        def shown(depths):
            console = Console(width=140)
            with console.capture() as capture:
                console.print(necessity_table([estimate("necessity", method="needed")], depths))
            return capture.get()

        assert "at most 4,439" in shown({"m": KNOWN})
        assert "[red]" in shown({"m": SerialDepth(why="[red]x")})
        assert "serial depth" not in shown({})
