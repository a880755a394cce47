"""What a session's engines cost, by a clock that the test moves, and its object in the run's folder."""

import time

import pytest

from cotfaith.cluster.fleet.costs import Costs, cost_of, kept_costs, read_costs
from cotfaith.cluster.fleet.deployments import Setup, Share
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError, SpecError, StoreError
from cotfaith.schemas.spec import ModelSpec, Prices, ResourceSpec
from cotfaith.workers.engines.protocol import EngineUsage

PRICES = Prices(gpu_hour=2.0, cpu_hour=0.5)


def setup_of(name="m", gpus=1.0, cpus=4.0, prices=PRICES, **own):
    model = ModelSpec.model_validate({"id": name, "engine": "stub", "resources": own})
    return Setup(model, Share(cpus, 1), ResourceSpec(gpus=gpus, prices=prices))


M = setup_of()  # 2 + 4 x 0.5 = 4 an hour
SERVER = setup_of("s", gpus=0, cpus=1, price_hour=0, price_per_million_tokens={"prompt": 1, "generated": 10})


class Session:
    def __init__(self, earlier=0.0, max_cost=None, name="one"):
        self.now_s = 0.0
        self.stopping = Stopping(max_cost=max_cost, drain_s=0, clock=lambda: self.now_s)
        self.costs = Costs("USD", self.stopping, earlier, clock=lambda: self.now_s, session=name)

    def hold(self, hours, *names, setup=M):
        """Hold these actors for some hours, and then look again."""
        self.costs.look([(setup, len(names))])
        self.now_s += 3600 * hours
        self.costs.look([(setup, len(names))])
        return self


def test_an_actor_is_paid_for_from_its_place_to_its_end():
    session = Session().hold(1, "m#1", "m#2")  # 8
    assert session.costs.per_hour == 8
    session.costs.look([(M, 1)])
    session.hold(0.5, "m#2")  # 2
    session.costs.look(())
    session.now_s += 7200
    session.costs.look(())
    assert session.costs.total == 10
    (engine,) = session.costs.record().engines
    assert (engine.hours, engine.gpu_hours, engine.cpu_hours, engine.cost) == (2.5, 2.5, 10, 10)


def test_tokens_of_a_server_count_once_and_late_totals_do_not():
    session = Session().hold(1, "s#1", setup=SERVER)
    for prompt, generated in ((1_000_000, 100_000), (3_000_000, 200_000), (2_000_000, 150_000), (3_000_000, 200_000)):
        session.costs.used("s#1", SERVER, EngineUsage(prompt_tokens=prompt, generated_tokens=generated))
    session.costs.used("s#2", SERVER, EngineUsage(prompt_tokens=1_000_000))  # it took the first one's place
    assert session.costs.total == 4 + 2
    (engine,) = session.costs.record().engines
    assert (engine.prompt_tokens, engine.generated_tokens) == (4_000_000, 200_000)


def test_what_has_no_price_is_null_and_counts_nothing():
    unpriced = setup_of("u", prices=Prices())
    session = Session().hold(1, "u#1", setup=unpriced)
    assert session.costs.total == 0
    (engine,) = session.costs.record().engines
    assert (engine.hours, engine.cost) == (1, None)
    assert session.costs.record().cost is None


def test_the_limit_counts_earlier_sessions_and_is_told_at_once():
    session = Session(earlier=6, max_cost=10)
    session.hold(0.9, "m#1")
    assert session.stopping.asked() is None
    session.hold(0.1, "m#1")
    assert session.stopping.asked() == "the limit of 10 USD is reached: the run has cost 10.00 USD"
    assert Session(earlier=10, max_cost=10).stopping.asked() is not None  # before any engine starts


class TestFolder:
    def test_sessions_add_up_and_each_counts_once(self, tmp_path):
        store = LocalStore(tmp_path)
        for name, hours in (("one", 1), ("two", 2)):
            session = Session(name=name)
            with kept_costs(store, session.costs, every_s=0.01):  # also written many times
                session.hold(hours, "m#1")
        found = read_costs(store)
        assert sorted(one.cost for one in found) == [4, 8]
        assert cost_of(found, "USD") == 12

    def test_it_is_written_while_the_session_runs(self, tmp_path):
        store, session = LocalStore(tmp_path), Session()
        with kept_costs(store, session.costs, every_s=0.01):
            session.hold(1, "m#1")
            end = time.monotonic() + 60
            while not (found := read_costs(store)) and time.monotonic() < end:
                time.sleep(0.01)
            assert [one.cost for one in found] == [4]  # also if the driver is killed now

    def test_a_session_without_engines_writes_nothing(self, tmp_path):
        with kept_costs(LocalStore(tmp_path), Session().costs):
            pass
        assert list(LocalStore(tmp_path).list()) == []

    def test_a_store_that_fails_ends_no_run(self, tmp_path):
        class Failing(LocalStore):
            def put(self, key, data):
                raise StoreError("down")

        session = Session()
        with kept_costs(Failing(tmp_path), session.costs, every_s=0.01):
            session.hold(1, "m#1")

    def test_other_currencies_are_not_added(self, tmp_path):
        session = Session().hold(1, "m#1")
        with pytest.raises(SpecError, match=r"earlier sessions of this run cost USD, and the spec says EUR"):
            cost_of([session.costs.record()], "EUR")

    @pytest.mark.parametrize("wrong", [b"{", b'{"key": "_costs/x.json"}'])
    def test_a_damaged_or_copied_object_is_named(self, tmp_path, wrong):
        store = LocalStore(tmp_path)
        store.put(keys.costs("x"), wrong)
        with pytest.raises(RunFolderError, match=r"_costs/x\.json"):
            read_costs(store)
        store.put(keys.costs("x"), Session(name="other").hold(1, "m#1").costs.record().as_json())
        with pytest.raises(RunFolderError, match=r"Counting it would count rows twice"):
            read_costs(store)
