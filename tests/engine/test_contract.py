"""The contract of engines, for the engines that need only the package."""

import pytest
from contract import AnyEngine
from contract_models import ModelEngine
from contract_texts import SpellingEngine
from speller import write_speller

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine


def engine_of(**fields):
    spec = ModelSpec(id="tiny", **fields)
    return find_engine(spec).make(spec, 1)


class TestStub(AnyEngine):
    @pytest.fixture(scope="class")
    def engine(self):
        return engine_of(engine="stub", options={"max_context": 256})


class TestTransformers(ModelEngine):
    @pytest.fixture(scope="class")
    def folder(self, tiny_model):
        return tiny_model("words")

    @pytest.fixture(scope="class", params=["auto", "off"], ids=["prefix_tree", "plain"])
    def engine(self, folder, request):
        return engine_of(engine="transformers", source=str(folder), options={"prefix_tree": request.param})


class TestTransformersTexts(SpellingEngine):
    @pytest.fixture(scope="class", params=["auto", "off"], ids=["prefix_tree", "plain"])
    def speller(self, tmp_path_factory, request):
        folder = tmp_path_factory.mktemp("speller")
        write_speller(folder)
        return engine_of(engine="transformers", source=str(folder), options={"prefix_tree": request.param})
