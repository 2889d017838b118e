# Everything that a file can say about where a tenant lives and what protects it.
name        = "Full"
kind        = "customer"
cost_center = "CC-1"
tier        = "pro"
models      = ["*"]
deny_models = ["*premier*"]

isolation = "silo"
silo = {
  role_arn    = "arn:aws:iam::444455556666:role/tollgate/tollgate-dev/full"
  external_id = "full-1"
}

markup            = "1.20"
guardrail         = { id = "a1b2c3d4e5f6", version = "1" }
system_preamble   = "Answer in German.\nCite documents."
teams             = ["search", "support"]
allow_fields      = ["safety.level", "tools:notes_20261101"]
model_limits      = { "anthropic.claude-*" = { tokens_per_minute = 200000 } }
alert_thresholds  = []
retention_minutes = 5
own_kms_key       = true

apps = {
  web = { keys = { primary = {} } }
}
