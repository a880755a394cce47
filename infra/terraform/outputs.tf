output "runs" {
  description = "Where runs go: output.path is this and a name."
  value       = "s3://${aws_s3_bucket.runs.id}/runs/"
}

output "warehouse" {
  description = "What exports write, and the only place that a warehouse reads."
  value       = "s3://${aws_s3_bucket.runs.id}/warehouse/"
}

output "instance_profiles" {
  description = "IamInstanceProfile of the head and the workers in infra/ray/aws.yaml."
  value       = { for name, profile in aws_iam_instance_profile.node : name => profile.name }
}

output "writer_policy_arn" {
  description = "For a role of your own, such as that of a Kubernetes service account."
  value       = aws_iam_policy.writer.arn
}

output "reader_role_arn" {
  description = "The warehouse readers' role; null if reader_principals is empty."
  value       = one(aws_iam_role.reader[*].arn)
}
