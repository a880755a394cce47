"""Terraform's files: valid, tested against a mock of AWS, and with the permissions that the code needs.

The mock's tests are in infra/terraform/tests. Terraform starts its provider for each, which takes some seconds.
"""

import json
import re
import runpy

import pytest
from terraform import Terraform

from cotfaith.schemas.tables import TABLES

ACTIONS = {
    "put_object": "PutObject", "create_multipart_upload": "PutObject", "upload_part": "PutObject",
    "complete_multipart_upload": "PutObject", "abort_multipart_upload": "AbortMultipartUpload",
    "get_object": "GetObject", "head_object": "GetObject", "download_file": "GetObject",
    "delete_object": "DeleteObject", "list_objects_v2": "ListBucket",
}  # fmt: skip
"""The permission that each of S3's calls needs, by AWS's reference."""


def test_writers_may_do_what_the_code_calls_and_the_page_says(repo):
    """Every S3 call of the code, wherever a client is used; a call that this test does not know fails it."""
    sources = [path.read_text() for layer in ("cluster", "workers") for path in (repo / layer).rglob("*.py")]
    call = re.compile(r"\bclient\.(?:get_paginator\(\"(\w+)\"|([a-z_]+_(?:objects?|upload|part|file|bucket|v2))\()")
    called = {a or b for source in sources for a, b in call.findall(source)}
    needed = {f"s3:{ACTIONS[name]}" for name in called}
    assert len(called) > 8
    writers = (repo / "infra/terraform/writers.tf").read_text()
    assert set(re.findall(r'"(s3:\w+)"', writers)) == needed
    page = (repo / "docs/object-storage.md").read_text()
    assert set(re.findall(r"`(s3:\w+)`", page)) == needed


def test_names_are_those_of_the_ray_cluster(repo):
    aws = (repo / "infra/ray/aws.yaml").read_text()
    default = re.search(
        r'"cluster_name" \{.*?default\s+= "(\w+)"', (repo / "infra/terraform/variables.tf").read_text(), re.S
    )
    assert f"cluster_name: {default[1]} " in aws
    assert set(re.findall(r"IamInstanceProfile: \{Name: ([\w-]+)\}", aws)) == {
        f"{default[1]}-head",
        f"{default[1]}-worker",
    }


def test_glue_tables_have_the_columns_of_the_schemas(repo):
    """The file is what its script makes, and that is the schemas, by Athena's names of the types."""
    folder = repo / "infra/terraform"
    found = json.loads((folder / "glue_tables.json").read_text())
    text = runpy.run_path(str(folder / "glue_tables.py"))["content"]()
    assert json.loads(text) == found, "run: python infra/terraform/glue_tables.py"
    assert list(found) == list(TABLES)
    for name, columns in found.items():
        assert [one["name"] for one in columns] == [one for one in TABLES[name].names if one != "run_id"]
        assert all(one["type"] == one["type"].lower() and " " not in one["type"] for one in columns)
    kinds = {one["name"]: one["type"] for one in found["observations"]}
    assert [kinds[one] for one in ("schema_version", "item_id", "correct")] == ["int", "string", "boolean"]


@pytest.fixture(scope="module")
def terraform(repo, tmp_path_factory):
    made = Terraform(repo, tmp_path_factory.mktemp("terraform"))
    made("init", "-input=false")
    return made


def test_it_is_formatted_and_valid(terraform):
    terraform("fmt", "-check", "-recursive")
    terraform("validate")


def test_its_own_tests_pass(terraform):
    told = terraform("test")
    assert re.search(r"Success! \d+ passed, 0 failed", told), told


def test_a_rule_that_deletes_by_age_fails_them(terraform):
    """The dangerous mistake: attempts lie beside committed parts, so an age would delete results."""
    bucket = terraform.folder / "bucket.tf"
    text = bucket.read_text()
    bucket.write_text(text.replace("expired_object_delete_marker = true", "days = 30"))
    try:
        with pytest.raises(AssertionError, match="a lifecycle rule deletes current objects"):
            terraform("test", "-filter=tests/bucket.tftest.hcl")
    finally:
        bucket.write_text(text)
