# Who may do what, planned or applied against a provider that calls nobody.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mock" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
}

variables {
  region = "us-east-1"
  bucket = "cotfaith-test"
}

# docs/object-storage.md lists these actions, and tests/unit/test_infra_terraform.py compares them with the code.
run "writers" {
  command = plan

  assert {
    condition = toset(flatten([for one in local.writer_statements : one.Action])) == toset([
      "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    ])
    error_message = "writers have other actions than cotfaith needs"
  }
  assert {
    condition = alltrue([
      for one in local.writer_statements :
      alltrue([for resource in one.Resource : startswith(resource, "arn:aws:s3:::cotfaith-test")])
    ])
    error_message = "writers reach beyond the bucket"
  }
  # With a condition on the prefix, a missing object would be 403.
  assert {
    condition     = alltrue([for one in local.writer_statements : !can(one.Condition)])
    error_message = "a writer's permission has a condition"
  }
}

run "inputs_are_only_read" {
  command = plan
  assert {
    condition = !anytrue([
      for one in local.writer_statements :
      anytrue([for resource in one.Resource : strcontains(resource, "/inputs/")]) && anytrue([for action in one.Action : action != "s3:GetObject"])
    ])
    error_message = "writers can change weights and task files"
  }
}

run "no_readers_by_default" {
  command = plan
  assert {
    condition     = length(aws_iam_role.reader) == 0 && length(aws_glue_catalog_database.warehouse) == 0
    error_message = "a readers' role or a Glue database is made without being asked for"
  }
}

run "readers_see_only_the_warehouse" {
  command = apply
  variables {
    reader_principals = ["arn:aws:iam::123456789012:role/analysts"]
    glue_database     = "cotfaith"
  }
  assert {
    condition = toset(flatten([for one in local.reader_statements : one.Action])) == toset([
      "s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject",
      "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions",
    ])
    error_message = "readers have other actions"
  }
  assert {
    condition = alltrue([
      for one in local.reader_statements :
      contains(one.Action, "s3:GetObject") ? one.Resource == ["arn:aws:s3:::cotfaith-test/warehouse/*"] : true
    ])
    error_message = "readers can read more than warehouse/"
  }
  assert {
    condition     = local.reader_statements[0].Condition.StringLike["s3:prefix"] == ["warehouse/*"]
    error_message = "readers can list the runs"
  }
  assert {
    condition     = aws_glue_catalog_database.warehouse[0].location_uri == "s3://cotfaith-test/warehouse/"
    error_message = "the database is elsewhere"
  }
}

run "the_head_ends_only_its_own" {
  command = apply
  assert {
    condition = alltrue([
      for one in jsondecode(aws_iam_role_policy.launcher.policy).Statement :
      one.Condition.StringEquals["ec2:ResourceTag/ray-cluster-name"] == "cotfaith" if contains(one.Action, "ec2:TerminateInstances")
    ])
    error_message = "the head can end other nodes"
  }
  assert {
    condition     = aws_iam_role_policy.launcher.role == "cotfaith-head" && length(aws_iam_role_policy.image) == 0
    error_message = "workers can start nodes, or nodes can pull images that nobody named"
  }
  assert {
    condition     = output.instance_profiles == { head = "cotfaith-head", worker = "cotfaith-worker" }
    error_message = "infra/ray/aws.yaml names other profiles"
  }
}
