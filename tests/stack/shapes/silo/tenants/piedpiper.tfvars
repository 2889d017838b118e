name        = "Pied Piper"
kind        = "project"
cost_center = "CC-5005"
tier        = "free"
models      = ["amazon.nova-*"]
status      = "offboarded"
own_kms_key = true

apps = { compress = { keys = { primary = {} } } }
