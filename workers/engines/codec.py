"""A model of the spec -> its codec: the engine says where the tokenizer is. Loads tokenizers, never weights."""

from datetime import datetime

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.text.codec import ByteCodec, Codec, open_codec
from cotfaith.workers.text.turns import TurnsCodec


def load_codec(model: ModelSpec, date: datetime | None = None) -> Codec:
    """Return the codec of ``model``.

    ``date`` goes to a chat template that asks for one; by default it is now.

    Raises:
        ModelSourceError: the tokenizer, or the chat template that the spec demands, is missing.

    """
    engine = find_engine(model)
    if not engine.has_weights:
        return ByteCodec()
    if engine.whole_turns(model):
        return TurnsCodec()
    return open_codec(model, engine.tokenizer(model), engine.closes_texts, date)
