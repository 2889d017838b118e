terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"

      # Data Exports are made in us-east-1, wherever the bucket is.
      configuration_aliases = [aws.us_east_1]
    }
  }
}
