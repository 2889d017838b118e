# The gateway that the tenants are added to, as it describes itself: a lookup by path gives an empty
# list for what does not exist, so the error is ours and says what to do.
data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_ssm_parameters_by_path" "api" {
  count = var.parent.unit == null ? 1 : 0

  path = "/tollgate/rest-apis/${coalesce(var.parent.rest_api_id, "none")}"

  lifecycle {
    postcondition {
      condition     = length(self.names) == 1
      error_message = "parent.rest_api_id: got \"${coalesce(var.parent.rest_api_id, "none")}\"; allowed: the id of a Tollgate REST API in this account and region. There is no parameter ${self.path}/prefix, which a gateway writes when it is applied."
    }
  }
}

data "aws_ssm_parameters_by_path" "outputs" {
  path = "/${local.prefix}/outputs"

  lifecycle {
    postcondition {
      condition     = length(self.names) > 0
      error_message = "parent.unit: got \"${local.prefix}\"; allowed: the prefix of a gateway in this account and region. There are no parameters under ${self.path}, which a gateway writes when it is applied: apply the parent first."
    }

    postcondition {
      condition     = length(self.names) == 0 || length(setsubtract(local._needed, [for name in self.names : trimprefix(name, "${self.path}/")])) == 0
      error_message = "parent: \"${local.prefix}\" does not publish ${join(", ", setsubtract(local._needed, [for name in self.names : trimprefix(name, "${self.path}/")]))}: it was applied by an older release; apply it again."
    }

    postcondition {
      condition = var.parent.stage_name == null || contains(
        [for index, name in self.names : nonsensitive(self.values[index]) if name == "${self.path}/stage_name"],
        coalesce(var.parent.stage_name, "none"),
      )
      error_message = "parent.stage_name: got \"${coalesce(var.parent.stage_name, "none")}\"; allowed: ${join(", ", [for index, name in self.names : "\"${nonsensitive(self.values[index])}\"" if name == "${self.path}/stage_name"])}, the stage of \"${local.prefix}\". A tenant has no stage of its own."
    }
  }
}

locals {
  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition

  # Not secret, although the data source treats every parameter as if it were.
  prefix = var.parent.unit == null ? nonsensitive(data.aws_ssm_parameters_by_path.api[0].values[0]) : var.parent.unit

  published = {
    for index, name in data.aws_ssm_parameters_by_path.outputs.names :
    trimprefix(name, "/${local.prefix}/outputs/") => nonsensitive(data.aws_ssm_parameters_by_path.outputs.values[index])
  }

  _needed = toset([
    "api_url",
    "caller_roles",
    "key_store",
    "kms_key_arn",
    "lake_bucket_name",
    "rest_api_id",
    "stage_name",
    "tenants_table_name",
    "tier_usage_plans",
    "usage_plan_ceiling",
    "usage_plan_methods",
    "usage_plans_most",
  ])
}
