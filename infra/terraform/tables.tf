# The exported Parquet tables, for Athena and other readers of Glue. Their columns are in glue_tables.json, which
# `python infra/terraform/glue_tables.py` makes of the Arrow schemas; a test compares the two.
locals {
  glue_tables = jsondecode(file("${path.module}/glue_tables.json"))
  # Each run is a partition. Athena computes the partitions of the runs that are named; with none named, run
  # MSCK REPAIR TABLE after an export of a new run, for each table.
  projection = length(var.glue_run_ids) == 0 ? {} : {
    "projection.enabled"       = "true"
    "projection.run_id.type"   = "enum"
    "projection.run_id.values" = join(",", var.glue_run_ids)
  }
}

resource "aws_glue_catalog_table" "exported" {
  for_each      = var.glue_database == null ? {} : local.glue_tables
  name          = each.key
  database_name = aws_glue_catalog_database.warehouse[0].name
  table_type    = "EXTERNAL_TABLE"
  parameters    = merge({ EXTERNAL = "TRUE", classification = "parquet" }, local.projection)

  partition_keys {
    name = "run_id"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.bucket}/warehouse/${each.key}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = each.value
      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}
