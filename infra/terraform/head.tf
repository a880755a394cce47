# What the head of infra/ray/aws.yaml needs beside the writers' policy: it starts workers, and ends its own. The role that
# Ray makes if none is named may do everything in EC2 and S3.
resource "aws_iam_role_policy" "launcher" {
  name = "launch-workers"
  role = aws_iam_role.node["head"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Look"
        Effect   = "Allow"
        Action   = ["ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeImages"]
        Resource = ["*"] # EC2 knows no narrower one for these
      },
      {
        Sid       = "Start"
        Effect    = "Allow"
        Action    = ["ec2:RunInstances"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        Sid       = "NameNewOnes"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags"]
        Resource  = ["*"]
        Condition = { StringEquals = { "ec2:CreateAction" = "RunInstances" } }
      },
      {
        Sid       = "OwnOnes"
        Effect    = "Allow"
        Action    = ["ec2:TerminateInstances", "ec2:CreateTags"]
        Resource  = ["*"]
        Condition = { StringEquals = { "ec2:ResourceTag/ray-cluster-name" = var.cluster_name } }
      },
      {
        Sid      = "GiveWorkersTheirRole"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = [aws_iam_role.node["worker"].arn]
      },
    ]
  })
}
