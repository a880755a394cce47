# Who reads the exported tables, such as Athena's users: warehouse/ only, never the runs, whose attempts are not results.
locals {
  reader_statements = concat(
    [
      {
        Sid       = "List"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.bucket_arn]
        Condition = { StringLike = { "s3:prefix" = ["warehouse/*"] } }
      },
    ],
    [
      {
        Sid      = "Place"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation"]
        Resource = [local.bucket_arn]
      },
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arn}/warehouse/*"]
      },
    ],
    var.kms_key_arn == null ? [] : [
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.kms_key_arn]
      },
    ],
    var.glue_database == null ? [] : [
      {
        Sid    = "Tables"
        Effect = "Allow"
        Action = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"]
        Resource = [
          "arn:aws:glue:${var.region}:${local.account}:catalog",
          "arn:aws:glue:${var.region}:${local.account}:database/${var.glue_database}",
          "arn:aws:glue:${var.region}:${local.account}:table/${var.glue_database}/*",
        ]
      },
    ],
  )
  account = data.aws_caller_identity.here.account_id
}

data "aws_caller_identity" "here" {}

resource "aws_iam_role" "reader" {
  count = length(var.reader_principals) == 0 ? 0 : 1
  name  = "${var.cluster_name}-warehouse-reader"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = var.reader_principals }
    }]
  })
}

resource "aws_iam_role_policy" "reader" {
  count  = length(aws_iam_role.reader)
  name   = "read-warehouse"
  role   = aws_iam_role.reader[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.reader_statements })
}

resource "aws_glue_catalog_database" "warehouse" {
  count        = var.glue_database == null ? 0 : 1
  name         = var.glue_database
  location_uri = "s3://${var.bucket}/warehouse/"
}
