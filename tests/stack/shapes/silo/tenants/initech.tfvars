name        = "Initech"
kind        = "department"
cost_center = "CC-3003"
tier        = "pro"
models      = ["amazon.nova-*"]
isolation   = "silo"
silo        = { role_arn = "arn:aws:iam::999999999999:role/tollgate/tollgate-dev/initech", external_id = "initech-4711" }
model_arns  = { "arn:aws:bedrock:us-east-1:999999999999:application-inference-profile/abcdefghijkl" = "amazon.nova-lite-v1:0" }

apps = { reports = { keys = { primary = {} } } }
