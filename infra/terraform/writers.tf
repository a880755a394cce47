# Who writes runs: the nodes of a cluster, and people who take this policy. The actions are those that cotfaith calls
# (docs/object-storage.md), and no others.
locals {
  writer_statements = concat(
    [
      {
        Sid    = "List"
        Effect = "Allow"
        Action = ["s3:ListBucket"]
        # Without a condition on the prefix: with one, S3 answers a read of a missing object with 403 in place of 404,
        # and a run could not tell what is missing.
        Resource = [local.bucket_arn]
      },
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arn}/runs/*", "${local.bucket_arn}/warehouse/*", "${local.bucket_arn}/inputs/*"]
      },
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.bucket_arn}/runs/*", "${local.bucket_arn}/warehouse/*"]
      },
    ],
    var.kms_key_arn == null ? [] : [
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = [var.kms_key_arn]
      },
    ],
  )
  ec2_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_policy" "writer" {
  name        = "${var.cluster_name}-writer"
  description = "Reads and writes runs and exported tables in ${var.bucket}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.writer_statements })
}

resource "aws_iam_role" "node" {
  for_each           = toset(["head", "worker"])
  name               = "${var.cluster_name}-${each.key}"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_role_policy_attachment" "writer" {
  for_each   = aws_iam_role.node
  role       = each.value.name
  policy_arn = aws_iam_policy.writer.arn
}

resource "aws_iam_instance_profile" "node" {
  for_each = aws_iam_role.node
  name     = each.value.name
  role     = each.value.name
}

resource "aws_iam_role_policy" "image" {
  for_each = var.image_repository_arn == null ? {} : aws_iam_role.node
  name     = "pull-image"
  role     = each.value.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [var.image_repository_arn]
      },
    ]
  })
}
