"""The contracts: specs, records, Arrow tables, object keys, statuses, errors.

Imports pydantic and pyarrow only, and neither of the other two packages.
"""
