"""The hours of a plan: stated, measured or estimated, by replicas and by probe. No engine runs."""

import json
import struct
from types import SimpleNamespace

import pytest
from commands import in_process, write_spec
from runs_here import without_ray

from cotfaith.cluster.cli.hours import human_time
from cotfaith.cluster.plan import hardware, hours
from cotfaith.cluster.plan import model_size as sizes
from cotfaith.cluster.plan.costs import Cost, stage_costs
from cotfaith.cluster.plan.hardware import Hardware, gpu
from cotfaith.cluster.plan.hours import planned_hours
from cotfaith.cluster.plan.model_size import Size, model_size
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.roofline import CPU, Roofline
from cotfaith.schemas.spec import ModelSpec, parse_spec

STUB = {"id": "m", "engine": "stub"}
ORGANISM = {"id": "m", "source": "organism:reasoner"}
TASK = {"name": "t", "generator": "tracking_objects", "n": 8}
SLOW = Hardware("a slow machine", 1e9, 1e9, False)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of four known cores, and no GPU."""
    monkeypatch.setattr(hours, "this_cpu", lambda: SLOW)
    monkeypatch.setattr(hours, "cores", lambda: 4)
    monkeypatch.setattr(hours, "gpu_names", lambda: ())


def planned(tmp_path, stated=None, model=STUB, **changes):
    content = {"models": [model], "tasks": [TASK], "probes": ["no_cot", "early_answering"]}
    plan = make_plan(parse_spec(content | {"output": {"path": str(tmp_path / "run")}} | changes))
    return planned_hours(plan, stage_costs(plan), stated)


def total(found):
    return sum(found.seconds(line) for line in found.lines)


class TestOrigins:
    def test_unknown(self, tmp_path):
        found = planned(tmp_path)
        assert (found.rates, {found.seconds(line) for line in found.lines}) == ({}, {None})
        assert "unknown. Set --tokens-per-second" in found.note()

    def test_a_stated_rate_is_of_one_engine(self, tmp_path):
        tokens = sum(line.tokens for line in planned(tmp_path).lines)
        assert total(planned(tmp_path, 100.0)) == pytest.approx(tokens / 100)
        many = {"resources": {"replicas": 4, "shard_size": 2}}
        assert total(planned(tmp_path, 100.0, **many)) == pytest.approx(tokens / 400)
        few = {"resources": {"replicas": 4, "shard_size": 4}}  # two shards: two engines have nothing to do
        assert total(planned(tmp_path, 100.0, **few)) == pytest.approx(tokens / 200)
        assert planned(tmp_path, 100.0).rates == pytest.approx({"m": 100})
        assert "stated" in planned(tmp_path, 100.0).note()

    def test_a_measured_rate_counts_before_an_estimate(self, tmp_path, monkeypatch):
        without_ray(monkeypatch)
        spec = {"models": [STUB], "tasks": [TASK], "probes": ["no_cot"], "output": {"path": "run"}}
        assert in_process("run", write_spec(tmp_path, spec), cwd=tmp_path).returncode == 0
        found = planned(tmp_path)
        assert found.speeds["m"].origin == "measured"
        assert "measured in" in found.note()

    def test_an_estimate_says_what_it_is(self, tmp_path):
        found = planned(tmp_path, model=ORGANISM)
        assert found.speeds["m"].origin == "estimated"
        assert "estimated from a slow machine" in found.note()
        assert all(found.seconds(line) > 0 for line in found.lines)

    def test_a_note_on_many_models_stays_short(self, tmp_path):
        models = [ORGANISM | {"id": f"m{i}"} for i in range(9)]
        note = planned(tmp_path, models=models).note()
        assert "for 9 models" in note
        assert len(note) < 300

    def test_some_unknown(self, tmp_path):
        found = planned(tmp_path, models=[ORGANISM, {"id": "s", "engine": "stub"}])
        assert found.note().endswith("Unknown for s: set --tokens-per-second.")

    @pytest.mark.parametrize("resources", [{"ray_address": "host:1"}, {"gpus": 1}])
    def test_no_estimate_for_machines_that_are_not_known(self, tmp_path, resources):
        assert planned(tmp_path, model=ORGANISM, resources=resources).rates == {}

    def test_fewer_cores_take_longer(self, tmp_path):
        whole = total(planned(tmp_path, model=ORGANISM))
        assert total(planned(tmp_path, model=ORGANISM, resources={"threads": 1})) > whole
        both = {"threads": 2, "replicas": 2, "shard_size": 16}
        assert total(planned(tmp_path, model=ORGANISM, resources=both)) == pytest.approx(whole)

    def test_gpus_of_this_machine(self, tmp_path, monkeypatch):
        monkeypatch.setattr(hours, "gpu_names", lambda: ("NVIDIA H100 80GB HBM3",))
        found = planned(tmp_path, model=ORGANISM, resources={"gpus": 1})
        assert "H100" in found.note()
        assert total(found) < total(planned(tmp_path, model=ORGANISM))


class TestRoofline:
    def seconds(self, read=0, written=0, rows=8, size=None, hardware=SLOW):
        work = Cost("m", "t", distinct_tokens=read, generated_tokens=written)
        return Roofline(size or Size(10**9, 10), hardware, "float32", rows, 100).seconds(work)

    def test_reading_by_hand(self):
        arithmetic = 2e9 * 100 / (1e9 * CPU.arithmetic)
        assert self.seconds(read=200) == pytest.approx(2 * (arithmetic + 10 * CPU.layer_s) + 200 * CPU.read_s)

    def test_writing_by_hand_is_bound_by_memory_for_one_row(self):
        weights = 4e9 / (1e9 * CPU.memory)
        assert self.seconds(written=3, rows=1) == pytest.approx(3 * (weights + 10 * CPU.layer_s + CPU.written_s))

    def test_larger_models_and_smaller_batches_are_slower(self):
        assert self.seconds(written=80, rows=2) > self.seconds(written=80, rows=8)
        assert self.seconds(read=80, size=Size(2 * 10**9, 10)) > self.seconds(read=80)
        fast = Hardware("fast", 1e12, 1e11, False)
        assert self.seconds(read=80, hardware=fast) < self.seconds(read=80) / 100


class TestSize:
    def test_of_a_folder(self):
        assert model_size(ModelSpec(id="m", source="organism:reasoner")) == Size(289_248, 3)

    @pytest.mark.parametrize("content", [b"", b"weights", struct.pack("<Q", 10**18), struct.pack("<Q", 2) + b"[]"])
    def test_of_files_that_are_none(self, tmp_path, content):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert sizes._in_header(tmp_path / "model.safetensors") == 0

    def test_of_a_header(self, tmp_path):
        header = json.dumps({"__metadata__": {"a": "b"}, "w": {"shape": [3, 4]}, "scalar": {"shape": []}}).encode()
        (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        assert sizes._in_header(tmp_path / "model.safetensors") == 13

    def test_a_configuration_without_layers_has_none(self, monkeypatch):
        monkeypatch.setattr(sizes, "model_config", lambda _: SimpleNamespace())
        assert model_size(ModelSpec(id="m", source="organism:reasoner")) is None


class TestHardware:
    @pytest.mark.parametrize(
        ("name", "gigabytes"),
        [
            ("NVIDIA H100 80GB HBM3", 3350),
            ("NVIDIA H100 PCIe", 2000),
            ("NVIDIA A100-SXM4-40GB", 1555),
            ("NVIDIA A100-SXM4-80GB", 2039),
            ("NVIDIA L4", 300),
            ("NVIDIA L40S", 864),
            ("Tesla T4", 320),
        ],
    )
    def test_names_of_drivers(self, name, gigabytes):
        found = gpu(name, "bfloat16")
        assert found.bytes_s == gigabytes * 1e9
        assert gpu(name, "float32").flops < found.flops

    def test_an_unknown_one(self):
        assert gpu("Some GPU", "float32") is None

    def test_a_name_is_not_hidden_by_one_that_it_contains(self):
        names = list(hardware._GPUS)
        for place, name in enumerate(names):
            assert not [earlier for earlier in names[:place] if earlier in name]

    def test_no_driver(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        hardware.gpu_names.cache_clear()
        assert hardware.gpu_names() == ()
        hardware.gpu_names.cache_clear()

    def test_this_machine(self, monkeypatch):
        monkeypatch.setattr(hardware, "_TRY_S", 0.01)
        found = hardware.this_cpu.__wrapped__()
        assert found.flops > 1e8
        assert found.bytes_s > 1e7


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (36_000_000, "10,000.0 h")],
)
def test_times_for_people(seconds, text):
    assert human_time(seconds) == text


def test_the_table_of_probes_adds_up(tmp_path):
    spec = {"models": [STUB], "tasks": [TASK, TASK | {"name": "u"}], "probes": ["no_cot", "early_answering"]}
    done = in_process("plan", write_spec(tmp_path, spec), "--by-probe", "--tokens-per-second", 100, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.partition("By probe")[2].splitlines()]
    stages = [line for line in lines if line[:1] == ["m"]]
    assert [line[1] for line in stages] == ["chains", "no_cot", "early_answering"]
    (sums,) = [line for line in lines if line[:1] == ["all"]]
    for column in (2, 3, 4):
        assert sum(int(line[column].replace(",", "")) for line in stages) == int(sums[column - 1].replace(",", ""))
    assert max(map(len, done.stdout.splitlines())) <= 80
