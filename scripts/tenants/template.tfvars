# Tenant $tenant_id of environment $environment. The file's name is the tenant's id: it is in the names of keys,
# in policies and on bills, so it stays as it is; `name` below may change at any time.
#
# Fill in what is marked FILL IN; `make validate-tenants` says what is missing. "#" and one space begin a
# comment; any other "#" holds back an option: take it away to set the option. The value shown is the
# default, unless the comment calls it an example; null is what the tier says, or else none.

# FILL IN: what people call the tenant.
name = ""

# FILL IN: what it is: "customer", "department", "project", "team" or "user"; reports group by it.
kind = ""

# FILL IN: who pays, as finance writes it.
cost_center = ""

# FILL IN: the tier of envs/$environment/env.tfvars whose values hold where this file has none: $tiers.
tier = ""

# The business unit of envs/$environment/env.tfvars that it belongs to. Where that has a budget, its calls are held on it too.
#business_unit = null

# FILL IN: the models that it may call, as ids or patterns: "amazon.nova-*", "us.anthropic.claude-*", "*".
models = []

# Example: what every model is told before all that a caller says. No caller can see, change or precede it.
#system_preamble = "You answer questions about Acme's products. Name the document that each answer rests on."

# Patterns of models that it may not call whatever `models` says.
#deny_models = []

# "suspended" refuses every call; "offboarded" takes keys and inference profiles away and keeps the rest.
#status = "active"

# Example: what its data is subject to; reports tell who should have an account of its own.
#compliance = ["HIPAA"]

# What reports may filter by.
#tags = {}

# Names that clients may send as team_id beside the tenant's id; usage rows have them as the tag "team".
#teams = []

# Members that native bodies and additional model fields may have beyond what the gateway knows, with points
# for members of members; also "anthropic_beta:<beta>" and "tools:<type>". At your risk: what they add to a
# call's cost is not held, and a budget can be exceeded by it.
#allow_fields = []

# --- Money -----------------------------------------------------------------------------------------

# In USD; a "hard" budget (the default) refuses what does not fit, a "soft" one admits it and tells so
# in the answer's header x-tollgate-budget. "observe" refuses nothing, for limits neither, and says in
# the usage row's tag would_refuse what "hard" would have refused.
#budget = { month_usd = null, day_usd = null, mode = null }

# What the tenant is charged for each dollar of cost, in the lake's table tenants; without a tier's, "1".
#markup = null

# What the tenant pays a month beside its usage, in USD; without a tier's, "0". Reports and statements read it.
#subscription_usd = null

# Percents of a budget at which to tell somebody; without a tier's, [50, 80, 100]. Nothing reads it yet.
#alert_thresholds = null

# Example: contract prices in USD per million tokens, by model, routing and service tier; `units` are per
# image, search or other unit. What is left out has the list price.
#prices = { "amazon.nova-lite-v1:0" = { in_region = { default = { input = "0.05", output = "0.20" } } } }

# Example: admit models that have no price, at this ceiling in USD per million tokens.
#unpriced = { input = "20", output = "100" }

# --- Limits ----------------------------------------------------------------------------------------

# Unlimited where neither this file nor the tier says a number.
#limits = {
#  requests_per_minute = null
#  requests_per_day    = null
#  tokens_per_minute   = null
#  concurrent_requests = null
#}

# Example: its share of what this account may ask of models, so that it leaves its neighbours theirs. A
# pattern counts all of its models together, by base id on every routing or with one ("us.anthropic.claude-*").
#model_limits = { "anthropic.claude-*" = { tokens_per_minute = 200000, requests_per_minute = 60 } }

# What a call without maxTokens gets, and the most that one may ask for. `clamp` lowers maxTokens to what
# the budget still covers, instead of refusing. Input tokens are bounded by their bytes; `count` "auto" (default)
# counts them, where the model can, when their bytes do not fit, "exact" more often, "bytes" never.
#max_tokens = { default = null, maximum = null, clamp = null, count = null }

# Accounts that the limits are spread over; without a tier's, 1. A plan says how many a rate needs.
#shards = null

# --- Where its calls run, and what protects its data -----------------------------------------------

# "silo" calls models in the tenant's own AWS account; other tenants stay in the pool.
#isolation = "pool"

# Example: the role in that account, which modules/tenant_role makes there. May be set before the move
# to "silo".
#silo = {
#  role_arn    = "arn:aws:iam::111122223333:role/tollgate/$prefix/$tenant_id"
#  external_id = "$external_id"
#}

# Example: the Bedrock guardrail that checks its calls; what it charges is held and booked with them.
#guardrail = { id = "a1b2c3d4e5f6", version = "1" }

# How many minutes the texts of jobs and of repeatable answers stay readable.
#retention_minutes = 1440

# Whether its texts are encrypted under a KMS key of its own.
#own_kms_key = false

# Example: models and profiles that are its own, priced as the model behind them.
#model_arns = {
#  "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/a1b2c3d4e5f6" = "amazon.nova-pro-v1:0"
#}

# --- Apps and their keys ---------------------------------------------------------------------------

apps = {
  # FILL IN: one entry for each app, under its id instead of FILL_IN.
  FILL_IN = {
    # Its keys; two while one is rotated.
    keys = {
      primary = {
        # The last day (UTC) on which the key works, as "YYYY-MM-DD".
        #expires = null
        # "suspended" refuses the key alone.
        #status = "active"
      }
    }

    # "suspended" refuses every call of the app.
    #status = "active"
    # What reports may filter by, beside the tenant's.
    #tags = {}

    # Within the tenant's; an app takes nothing from the tier.
    #budget = { month_usd = null, day_usd = null, mode = null }
    # Within the tenant's as well.
    #limits = {
    #  requests_per_minute = null
    #  requests_per_day    = null
    #  tokens_per_minute   = null
    #  concurrent_requests = null
    #}

    # Example: calls of this model go through an application inference profile of the app, so that AWS's
    # own bill shows the app and these tags. One for each model; not with isolation = "silo".
    #inference_profiles = {
    #  nova-lite = { model = "amazon.nova-lite-v1:0", description = "Search", tags = { Stage = "trial" } }
    #}
  }
}
