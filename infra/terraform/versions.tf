terraform {
  required_version = ">= 1.7" # the tests use mock_provider

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 6.0"
    }
  }
  # The state names everything here and holds no secret. To share it, add a backend "s3" of your own.
}

provider "aws" {
  region = var.region
}
