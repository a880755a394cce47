# The bucket, planned against a provider that calls nobody.
mock_provider "aws" {
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

run "private_encrypted_versioned" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.runs.block_public_acls,
      aws_s3_bucket_public_access_block.runs.block_public_policy,
      aws_s3_bucket_public_access_block.runs.ignore_public_acls,
      aws_s3_bucket_public_access_block.runs.restrict_public_buckets,
    ])
    error_message = "the bucket can be made public"
  }
  assert {
    condition     = aws_s3_bucket_versioning.runs.versioning_configuration[0].status == "Enabled"
    error_message = "versions are not kept"
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.runs.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "not encrypted by S3's keys"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.runs.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "access without TLS is not denied"
  }
  assert {
    condition     = !aws_s3_bucket.runs.force_destroy
    error_message = "destroy would delete runs without being asked"
  }
}

run "no_rule_deletes_what_counts" {
  command = apply

  # An age in days or a date would delete committed parts.
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.runs.rule :
      alltrue([for one in rule.expiration : one.date == null && try(one.days == 0, true)])
    ])
    error_message = "a lifecycle rule deletes current objects"
  }
  assert {
    condition     = anytrue([for rule in aws_s3_bucket_lifecycle_configuration.runs.rule : try(rule.noncurrent_version_expiration[0].noncurrent_days == 7, false)])
    error_message = "old versions are kept for ever"
  }
  assert {
    condition     = anytrue([for rule in aws_s3_bucket_lifecycle_configuration.runs.rule : try(rule.abort_incomplete_multipart_upload[0].days_after_initiation == 1, false)])
    error_message = "uploads of killed writers are kept for ever"
  }
}

run "key_of_your_own" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/one"
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.runs.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "the key is not used"
  }
}

run "versions_must_end" {
  command = plan
  variables {
    noncurrent_days = 0
  }
  expect_failures = [var.noncurrent_days]
}
