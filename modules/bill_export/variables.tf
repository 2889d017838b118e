variable "account_id" {
  description = "AWS account id of 12 digits whose bill it is; it makes the bucket's name unique."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: got \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "database_name" {
  description = "Glue database that gets the table `bill`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_]{1,255}$", var.database_name))
    error_message = "database_name: got \"${var.database_name}\"; allowed: lower-case letters, digits and underscores, which Athena takes unquoted."
  }
}

variable "force_destroy" {
  description = "Whether destroying the module may delete the bucket with its reports; true only for stacks that are thrown away."
  type        = bool
  default     = false
  nullable    = false
}

variable "location" {
  description = "Where another export with the columns of columns.json lies, down to its name and without a slash at the end; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.location == null ? true : can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/]+)+$", var.location))
    error_message = "location: got \"${coalesce(var.location, "null")}\"; allowed: s3://<bucket>/<prefix>/<export>, the folder that has data/ and metadata/."
  }
}

variable "partition" {
  description = "AWS partition, such as `aws`."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition: got \"${var.partition}\"; allowed: aws, aws-cn or aws-us-gov."
  }
}

variable "prefix" {
  description = "Prefix of every name, unique per deployment in the account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: got \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "region" {
  description = "Region of the bucket, which is the one that Athena reads in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: the name of an AWS region, such as us-east-1."
  }
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
