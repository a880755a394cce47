# The Glue tables, planned against a provider that calls nobody.
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

run "none_by_default" {
  command = plan
  assert {
    condition     = length(aws_glue_catalog_table.exported) == 0
    error_message = "Glue tables are made without being asked for"
  }
}

run "each_table_has_its_folder_and_columns" {
  command = plan
  variables {
    glue_database = "cotfaith"
  }
  assert {
    condition = toset(keys(aws_glue_catalog_table.exported)) == toset([
      "items", "chains", "observations", "estimates", "comparisons", "verdicts",
    ])
    error_message = "other tables than an export has"
  }
  assert {
    condition = alltrue([
      for name, one in aws_glue_catalog_table.exported :
      one.storage_descriptor[0].location == "s3://cotfaith-test/warehouse/${name}/"
    ])
    error_message = "a table is not over its folder of the export"
  }
  assert {
    condition = alltrue([
      for name, one in aws_glue_catalog_table.exported :
      [for column in one.storage_descriptor[0].columns : "${column.name} ${column.type}"] ==
      [for column in local.glue_tables[name] : "${column.name} ${column.type}"]
    ])
    error_message = "columns are not those of glue_tables.json, in its order"
  }
  assert {
    condition = alltrue([
      for one in aws_glue_catalog_table.exported :
      one.partition_keys[0].name == "run_id" && !contains([for column in one.storage_descriptor[0].columns : column.name], "run_id")
    ])
    error_message = "run_id is a column of the files, or no partition"
  }
  assert {
    condition     = alltrue([for one in aws_glue_catalog_table.exported : !contains(keys(one.parameters), "projection.enabled")])
    error_message = "partitions are computed, though no run is named"
  }
}

run "partitions_of_named_runs_are_computed" {
  command = plan
  variables {
    glue_database = "cotfaith"
    glue_run_ids  = ["first", "second"]
  }
  assert {
    condition     = alltrue([for one in aws_glue_catalog_table.exported : one.parameters["projection.run_id.values"] == "first,second"])
    error_message = "a run is missing"
  }
}

run "a_run_id_is_one_value" {
  command = plan
  variables {
    glue_database = "cotfaith"
    glue_run_ids  = ["first,second"]
  }
  expect_failures = [var.glue_run_ids]
}
