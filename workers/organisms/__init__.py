"""Model organisms: small trained models whose chain-of-thought faithfulness is known by construction.

``grammar`` is their language, ``recipes`` says how each is made, ``truth`` says what is known about each chain, and
``weights/`` has them, ready to load.
"""
