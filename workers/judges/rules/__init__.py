"""The rules by intervention, one file each: a module here defines its rule as ``RULE``."""
