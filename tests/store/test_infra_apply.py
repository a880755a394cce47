"""Terraform applied to a stand-in for AWS on loopback, an object in the bucket that it made, and all of it destroyed.

Nothing here shows that AWS enforces the roles: the stand-in accepts all credentials.
"""

import json

import boto3
import pytest
import s3_servers
from terraform import Terraform

from cotfaith.schemas.tables import TABLES

PROVIDER = """
provider "aws" {
  region            = "us-east-1"
  access_key        = "test"
  secret_key        = "test"
  s3_use_path_style = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  endpoints {
    s3   = "URL"
    iam  = "URL"
    sts  = "URL"
    glue = "URL"
  }
}
"""
VARIABLES = {
    "region": "us-east-1",
    "bucket": "cotfaith-applied",
    "glue_database": "cotfaith",
    "reader_principals": '["arn:aws:iam::000000000000:root"]',
    "force_destroy": "true",
}


@pytest.mark.slow
def test_it_applies_changes_nothing_the_second_time_and_leaves_nothing(repo, tmp_path):
    terraform = Terraform(repo, tmp_path)
    with s3_servers.ministack() as server:
        (terraform.folder / "provider_override.tf").write_text(PROVIDER.replace("URL", server.endpoint))
        terraform("init", "-input=false")
        terraform("apply", "-auto-approve", "-input=false", **VARIABLES)
        assert "No changes" in terraform("plan", "-input=false", **VARIABLES)
        outputs = {name: one["value"] for name, one in json.loads(terraform("output", "-json")).items()}
        assert outputs["runs"] == "s3://cotfaith-applied/runs/"
        client = server.client()
        assert client.get_bucket_versioning(Bucket="cotfaith-applied")["Status"] == "Enabled"
        assert client.get_public_access_block(Bucket="cotfaith-applied")["PublicAccessBlockConfiguration"][
            "BlockPublicAcls"
        ]
        glue = boto3.client(
            "glue",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        made = {one["Name"]: one for one in glue.get_tables(DatabaseName="cotfaith")["TableList"]}
        assert set(made) == set(TABLES)
        for name, one in made.items():
            own = [field for field in TABLES[name].names if field != "run_id"]
            assert [column["Name"] for column in one["StorageDescriptor"]["Columns"]] == own
        # Not `cotfaith check-store`: its keys have signs that this stand-in cannot list as versions.
        for _ in range(2):
            client.put_object(Bucket="cotfaith-applied", Key="runs/first/run.json", Body=b"{}")
        terraform("destroy", "-auto-approve", "-input=false", **VARIABLES)
        assert "cotfaith-applied" not in [one["Name"] for one in client.list_buckets()["Buckets"]]
