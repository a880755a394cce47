"""The openai engine as the registry knows it. The HTTP client is imported when a server is asked."""

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.openai.options import (
    EXECUTION_OPTIONS,
    Options,
    chats,
    check_packages,
    parse_options,
    read_key,
    served_model,
    tokenizer_source,
)
from cotfaith.workers.engines.protocol import Capabilities, Engine


def make(spec: ModelSpec, threads: int | None) -> Engine:
    """Find the server; raise ``InputError`` if a package that talks to it is not installed."""
    check_packages(spec)
    if chats(spec):
        from cotfaith.workers.engines.openai.chat_engine import ChatEngine

        return ChatEngine(spec, threads)
    from cotfaith.workers.engines.openai.engine import OpenAIEngine

    return OpenAIEngine(spec, threads)


def discovered_capabilities(spec: ModelSpec) -> Capabilities:
    """Ask the server what it can do.

    Raises:
        InputError: an option or the key is wrong, a package is missing, or the server is down or lacks the model.

    """
    options = parse_options(spec)
    check_packages(spec)
    key = read_key(spec, options)
    if options.api == "chat":
        from cotfaith.workers.engines.openai.chat_server import CHAT, find_chat

        find_chat(spec, options, key)
        return CHAT
    from cotfaith.workers.engines.openai.server import find_server

    return find_server(spec, options, key).capabilities


def settled(spec: ModelSpec) -> ModelSpec:
    """Return ``spec`` with whether a chat server limits answers by a schema, if the options leave that to it."""
    options = parse_options(spec)
    if options.api != "chat" or options.structured is not None:
        return spec
    check_packages(spec)
    from cotfaith.workers.engines.openai.chat_server import find_chat

    found = find_chat(spec, options, read_key(spec, options)).structured
    return spec.model_copy(update={"options": spec.options | {"structured": found}})


KIND = EngineKind(
    name="openai",
    summary="A model on an OpenAI-compatible server: vLLM, SGLang, llama.cpp, hosted.",
    options=Options,
    make=make,
    capabilities=discovered_capabilities,
    execution_options=EXECUTION_OPTIONS,
    served_model=served_model,
    tokenizer=tokenizer_source,
    settled=settled,
    whole_turns=chats,
)
