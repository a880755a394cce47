variable "region" {
  description = "The region of the bucket, and of the nodes that read and write it: traffic between regions costs."
  type        = string
}

variable "bucket" {
  description = "The name of the bucket that is made. Runs are below runs/, tables for the warehouse below warehouse/, weights and task files below inputs/."
  type        = string
}

variable "cluster_name" {
  description = "cluster_name of infra/ray/aws.yaml, and the first part of the roles' names. The head may end only nodes with this name."
  type        = string
  default     = "cotfaith"
}

variable "kms_key_arn" {
  description = "A KMS key of your own to encrypt with; null: keys that S3 manages."
  type        = string
  default     = null
}

variable "noncurrent_days" {
  description = "Days that overwritten and deleted objects are kept. A driver overwrites its lease and its status every 10 seconds, and each version counts as storage until then."
  type        = number
  default     = 7

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days must be 1 or more."
  }
}

variable "reader_principals" {
  description = "ARNs of the roles or users that may take the warehouse readers' role; empty: no such role is made."
  type        = list(string)
  default     = []
}

variable "image_repository_arn" {
  description = "The ECR repository of the image, which nodes may then pull; null: the image is elsewhere."
  type        = string
  default     = null
}

variable "glue_database" {
  description = "The name of a Glue database for the exported Parquet tables, which is made with them; null: none. Iceberg's Glue catalog needs another one: its tables have the same names."
  type        = string
  default     = null
}

variable "glue_run_ids" {
  description = "Runs whose partitions Athena computes, so that nothing is to be run after an export; it then sees no others. Empty: partitions are those that MSCK REPAIR TABLE found."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.glue_run_ids : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", one))])
    error_message = "glue_run_ids must be run_id of run.json, each by itself."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the bucket with all runs in it; false: it refuses while there are any."
  type        = bool
  default     = false
}
