# A VPC of its own with the endpoints that two functions need.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "network" {
  source = "../.."

  prefix      = "tollgate-dev"
  region      = "us-east-1"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  mode        = "private"

  endpoint_client_arns = [
    "arn:aws:iam::111122223333:role/tollgate-dev-invoke",
    "arn:aws:iam::111122223333:role/tollgate-dev-stream",
  ]

  actions_by_endpoint = {
    bedrock-runtime = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    sqs             = ["sqs:SendMessage"]
  }

  gateway_actions_by_endpoint = {
    dynamodb = ["dynamodb:GetItem", "dynamodb:PutItem"]
    s3       = ["s3:GetObject", "s3:PutObject"]
  }
}

output "function_network" {
  description = "Subnets and security groups for modules/function."
  value       = module.network.function_network
}
