"""The contract at the ends of texts, for vLLM in this process. A separate module: vLLM runs one engine at a time."""

import pytest
from contract_texts import SpellingEngine

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine


class TestVllmTexts(SpellingEngine):
    @pytest.fixture(scope="class")
    def speller(self, speller_folder):
        spec = ModelSpec(id="tiny", source=str(speller_folder), engine="vllm", options={"cache_gib": 0.25})
        return find_engine(spec).make(spec, 1)
