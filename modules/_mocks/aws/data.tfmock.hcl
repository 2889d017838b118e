# Computed attributes of the tables, buckets, catalogue and keys.

mock_resource "aws_api_gateway_api_key" {
  defaults = {
    id    = "a1b2c3d4e5"
    value = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
  }
}

mock_resource "aws_api_gateway_usage_plan" {
  defaults = {
    id = "pl4n01"
  }
}

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/mock"
  }
}

mock_resource "aws_s3_bucket" {
  defaults = {
    arn = "arn:aws:s3:::mock"
    id  = "mock"
  }
}

mock_resource "aws_bedrock_inference_profile" {
  defaults = {
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456"
    id  = "abc123def456"
  }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = {
    arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:mock-AbCdEf"
    id  = "arn:aws:secretsmanager:us-east-1:111122223333:secret:mock-AbCdEf"
  }
}
