"""The engine for any server that speaks the OpenAI protocol; an optional extra."""
