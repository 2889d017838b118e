# Bucket, key and region come from envs/<environment>/backend.s3.tfbackend.
terraform {
  backend "s3" {}
}
