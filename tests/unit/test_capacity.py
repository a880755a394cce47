"""What a machine can never have is refused before anything starts, with what was asked, what is there, what to do."""

import json

import pytest

from cotfaith.cluster.fleet import capacity, machine
from cotfaith.cluster.fleet.capacity import check_machine
from cotfaith.cluster.fleet.deployments import Deployment, cpus_at_once, setups
from cotfaith.cluster.fleet.machine import Machine
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.weights import weights_bytes
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.resolved import resolve_model

GIB = 2**30
M, N = ({"id": name, "engine": "stub"} for name in "mn")
E = {"id": "e", "engine": "stub", "roles": ["editor"]}


def plan(*models, probes=("no_cot",), **resources):
    content = {"models": list(models), "tasks": [{"name": "t", "generator": "addition", "n": 2}]}
    return make_plan(parse_spec(content | {"probes": list(probes), "resources": resources}))


def has(monkeypatch, cpus=8, gpus=0, memory=16 * GIB, gpu=None):
    monkeypatch.setattr(capacity, "this_machine", lambda: Machine(cpus, gpus, memory, gpu))
    monkeypatch.setattr(capacity, "local_cores", lambda: cpus)
    monkeypatch.setattr(capacity, "starts_ray", lambda address: address is None)


def with_own(model, **resources):
    return model | {"resources": resources}


@pytest.mark.parametrize(
    ("gpus", "models", "asked", "said"),
    [
        (
            0,
            [M],
            {"gpus": 1},
            r"models\.m: an engine asks for 1 GPUs, and this machine has 0 .* Set gpus: 0 to run",
        ),
        (2, [M], {"gpus": 4}, r"asks for 4 GPUs, and this machine has 2 .* Set gpus: 2, or set resources\.ray_address"),
        (0, [M, with_own(N, gpus=0.5)], {}, r"^models\.n: an engine asks for 0\.5 GPUs"),
        (1, [M, N, E], {"gpus": 1}, r"work at the same time need 2 GPUs \(1 for model 'm' and 1 for editor 'e'\)"),
        (0, [M, with_own(N, cpus=9)], {}, r"models\.n: an engine asks for 9 CPUs, and this machine has 8"),
        (0, [M], {"cpus": 8.5}, r"asks for 8\.5 CPUs"),
    ],
)
def test_what_can_never_be_there_is_refused(monkeypatch, gpus, models, asked, said):
    has(monkeypatch, gpus=gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(SpecError, match=said):
        check_machine(plan(*models, probes=["adding_mistakes"], **asked))


@pytest.mark.parametrize(
    ("gpus", "models", "asked"),
    [
        (1, [M, N], {"gpus": 1}),
        (1, [M, E], {"gpus": 0.5}),
        (1, [M, with_own(E, gpus=0)], {"gpus": 1}),
        (0, [M], {"cpus": 8, "replicas": 1}),
        (0, [M], {"gpus": 1, "ray_address": "auto"}),
    ],
)
def test_what_fits_is_not(monkeypatch, gpus, models, asked):
    has(monkeypatch, gpus=gpus)
    assert check_machine(plan(*models, probes=["adding_mistakes"], **asked)) == []


def test_every_fault_is_named_and_so_is_what_hides_gpus(monkeypatch):
    has(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SpecError) as caught:
        check_machine(plan(M, N, gpus=1, cpus=9))
    cpus, gpus = str(caught.value).splitlines()
    assert cpus.startswith("models.m, models.n: an engine asks for 9 CPUs")
    assert gpus.startswith("models.m, models.n: an engine asks for 1 GPUs")
    assert "(CUDA_VISIBLE_DEVICES is '')" in str(caught.value)


def test_a_grid_of_models_is_one_line(monkeypatch):
    has(monkeypatch)
    with pytest.raises(SpecError, match=r"^models\.m0, .* models\.m12 and 15 more: an engine asks for 1 GPUs"):
        check_machine(plan(*({"id": f"m{n}", "engine": "stub"} for n in range(20)), gpus=1))


def test_replicas_that_do_not_fit_are_a_note(monkeypatch):
    has(monkeypatch, gpus=2)
    (note,) = check_machine(plan(M, with_own(E, gpus=1), probes=["adding_mistakes"], gpus=1, replicas=3))
    assert note.startswith("m: 3 replicas ask for 1 GPUs each; this machine has room for 1 of them, ")


def test_a_ray_that_runs_in_this_process_counts_for_itself(monkeypatch):
    has(monkeypatch)
    monkeypatch.setattr(capacity, "starts_ray", lambda address: False)
    assert check_machine(plan(M, gpus=1)) == []


def test_nothing_is_counted_that_is_not_asked_for(monkeypatch):
    has(monkeypatch)
    monkeypatch.setattr(capacity, "this_machine", lambda: pytest.fail("this loads Ray"))
    assert check_machine(plan(M, N)) == []


def test_ray_counts_the_gpus(monkeypatch):
    manager = type("Manager", (), {"get_resource_name": staticmethod(lambda: "GPU")})
    spec = "ray._private.resource_and_label_spec.ResourceAndLabelSpec._get_current_node_accelerator"
    for found, expected in (((manager, 3), 3), ((None, 0), 0)):
        monkeypatch.setattr(spec, lambda *_, found=found: found)
        monkeypatch.setattr(machine, "_gpu_bytes", lambda: 80 * GIB)
        assert machine.this_machine().gpus == expected


def test_cuda_visible_devices_limits_the_gpus(monkeypatch):
    nvidia = "ray._private.accelerators.nvidia_gpu.NvidiaGPUAcceleratorManager.get_current_node_num_accelerators"
    monkeypatch.setattr(nvidia, lambda: 4)
    monkeypatch.setattr(machine, "_gpu_bytes", lambda: None)
    for value, expected in (("", 0), ("0", 1), ("0,1,2", 3)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert machine.this_machine().gpus == expected


class TestWeights:
    """Sizes from the headers of invented files."""

    @staticmethod
    def folder(tmp_path, **files):
        (tmp_path / "config.json").write_text('{"model_type": "llama"}')
        for name, tensors in files.items():
            header = json.dumps({"__metadata__": {"format": "pt"}} | tensors).encode()
            (tmp_path / f"{name}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        return tmp_path

    @staticmethod
    def tensor(dtype, *shape, size):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}

    def size(self, path, dtype="float32", **more):
        model = {"id": "m", "source": str(path), "dtype": dtype} | more
        spec = parse_spec({"models": [model], "tasks": [{"name": "t", "generator": "addition"}]})
        return weights_bytes(resolve_model(spec.models[0]))

    def test_floats_are_counted_in_the_models_dtype_and_others_as_they_are(self, tmp_path):
        one = {"a": self.tensor("BF16", 10, 3, size=60), "b": self.tensor("I8", 7, size=7)}
        path = self.folder(tmp_path, one=one, two={"c": self.tensor("F32", size=4)})
        assert self.size(path) == 4 * 31 + 7
        assert self.size(path, "bfloat16") == 2 * 31 + 7

    @pytest.mark.parametrize(
        "data", [b"", b"1234567", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x02" + bytes(7) + b"{"]
    )
    def test_a_file_without_a_header_has_no_size(self, tmp_path, data):
        path = self.folder(tmp_path, one={"a": self.tensor("F32", 1, size=4)})
        (path / "two.safetensors").write_bytes(data)
        assert self.size(path) is None

    def test_what_is_not_here_has_no_size(self, tmp_path):
        assert self.size("owner/name") is None
        assert self.size("x", engine="stub") is None
        assert self.size(self.folder(tmp_path, one={"a": {"dtype": "F32"}})) is None

    def faults(self, monkeypatch, size, resources, dtype="float32", **there):
        has(monkeypatch, **there)
        monkeypatch.setattr(capacity, "weights_bytes", lambda model: size)
        return check_machine(plan(M | {"dtype": dtype}, **resources))

    def test_weights_larger_than_the_memory_are_refused_with_what_would_do(self, monkeypatch):
        with pytest.raises(
            SpecError, match=r"take 20\.0 GiB in float32, and this machine has 16\.0 .* bfloat16, .* 10\.0"
        ):
            self.faults(monkeypatch, 20 * GIB, {})
        with pytest.raises(SpecError, match=r"take 20\.0 GiB in bfloat16, .* Use a smaller model, or set"):
            self.faults(monkeypatch, 20 * GIB, {}, "bfloat16")
        with pytest.raises(SpecError, match=r"1 of its GPUs have 8\.0 GiB .* engine: vllm and .*tensor_parallel: 3"):
            self.faults(monkeypatch, 20 * GIB, {"gpus": 1}, gpus=4, gpu=8 * GIB)
        assert self.faults(monkeypatch, 20 * GIB, {"gpus": 1}, gpus=1) == []  # no driver says how much it has

    def test_copies_that_do_not_fit_together_are_a_note(self, monkeypatch):
        (note,) = self.faults(monkeypatch, 9 * GIB, {"replicas": 2})
        assert "(2 x model 'm') take 18.0 GiB, and this machine has 16.0 GiB" in note
        assert self.faults(monkeypatch, 9 * GIB, {}) == []
        assert self.faults(monkeypatch, 9 * GIB, {"gpus": 1, "replicas": 2}, gpus=2, gpu=10 * GIB) == []


class TestOwnResources:
    """A model's own resources, where it has some."""

    @staticmethod
    def of(model, **resources):
        return plan(model, **resources).spec.resources.of(parse_spec_model(model))

    def test_they_override_the_runs(self):
        found = self.of(with_own(M, replicas=3, threads=2), replicas=2, cpus=4, gpus=1)
        assert (found.replicas.max, found.threads, found.cpus, found.gpus) == (3, 2, 4, 1)

    @pytest.mark.parametrize(
        ("own", "run", "gpus", "parts"),
        [
            ({"tensor_parallel": 4}, {}, 4, 4),
            ({"tensor_parallel": 4}, {"gpus": 1}, 4, 4),
            ({"tensor_parallel": 1}, {"gpus": 4}, 1, 1),
            ({"tensor_parallel": 1}, {}, 0, 1),
            ({"tensor_parallel": 1, "gpus": 0.5}, {"gpus": 4}, 0.5, 1),
            ({}, {"gpus": 4}, 4, 4),
            ({"gpus": 2}, {}, 2, 2),
            ({}, {"gpus": 0.5}, 0.5, 1),
        ],
    )
    def test_gpus_and_the_parts_of_a_model_follow_each_other(self, own, run, gpus, parts):
        made = plan(with_own(M, **own), **run)
        setup = setups(made.spec, [Deployment("subject", "m")])["m"]
        assert (setup.resources.gpus, setup.started.resources.parts) == (gpus, parts)

    @pytest.mark.parametrize(("own", "pinned"), [({}, True), ({"pin": False}, False)])
    def test_an_engine_is_told_whether_it_is_pinned(self, own, pinned):
        made = plan(with_own(M, **own), pin=True)
        assert setups(made.spec, [Deployment("subject", "m")])["m"].started.resources.pin is pinned

    @pytest.mark.parametrize(
        ("own", "said"),
        [
            ({"tensor_parallel": 4, "gpus": 2}, "tensor_parallel 4 needs gpus 4, got 2"),
            ({"gpus": 1.5}, "expected a whole number, or a share of one GPU"),
            ({"gpus": -1}, "greater than or equal to 0"),
            ({"replicas": 0}, "greater than or equal to 1"),
            ({"repicas": 2}, "Did you mean 'replicas'"),
        ],
    )
    def test_wrong_ones_are_named(self, own, said):
        with pytest.raises(SpecError, match=r"models\.0\.resources") as caught:
            plan(with_own(M, **own))
        assert said in str(caught.value)

    def test_an_engine_that_keeps_a_model_on_one_gpu_refuses_more(self):
        model = {"id": "m", "source": "organism:skilled-50", "resources": {"tensor_parallel": 2}}
        with pytest.raises(SpecError, match=r"got 2, and the engine 'transformers' keeps a model on one GPU"):
            plan(model)
        model["resources"] = {"tensor_parallel": 1}
        plan(model)

    def test_vllm_says_where_its_old_option_is(self):
        model = {"id": "m", "source": "x", "engine": "vllm", "options": {"tensor_parallel": 2}}
        with pytest.raises(SpecError, match=r"Set models\.m\.resources\.tensor_parallel"):
            plan(model)

    def test_all_counts_follow(self, monkeypatch):
        monkeypatch.setattr("cotfaith.cluster.fleet.deployments.local_cores", lambda: 8)
        made = plan(with_own(M, replicas=3), with_own(N, cpus=5, replicas=2), with_own(E, cpus=0.5))
        needed = [Deployment("subject", "m"), Deployment("subject", "n"), Deployment("editor", "e")]
        found = setups(made.spec, needed)
        assert {name: one.share.cpus for name, one in found.items()} == {"m": 2, "n": 5, "e": 0.5}
        assert cpus_at_once(made, needed) == 10.5
        assert cpus_at_once(made, needed[:1]) == 3 * 2


def parse_spec_model(model):
    return parse_spec({"models": [model], "tasks": [{"name": "t", "generator": "addition"}]}).models[0]


def test_the_run_is_refused_before_it_writes_anything(monkeypatch, tmp_path, cli):
    has(monkeypatch)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        json.dumps(
            {
                "models": [M],
                "tasks": [{"name": "t", "generator": "addition", "n": 2}],
                "resources": {"gpus": 1},
                "output": {"path": str(tmp_path / "run")},
            }
        )
    )
    for command in ("plan", "run"):
        code, _, said = cli(command, spec)
        assert (code, "an engine asks for 1 GPUs" in said) == (2, True)
    assert not (tmp_path / "run" / "run.json").exists()
