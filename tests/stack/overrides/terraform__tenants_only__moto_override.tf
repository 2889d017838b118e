# State in a file instead of a bucket.
terraform {
  backend "local" {}
}
