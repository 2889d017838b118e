terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    terraform = {
      source = "terraform.io/builtin/terraform"
    }
  }
}
