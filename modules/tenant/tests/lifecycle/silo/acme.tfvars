name        = "Acme"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*"]
own_kms_key = true
isolation   = "silo"

silo = {
  role_arn    = "arn:aws:iam::444455556666:role/tollgate/tollgate-dev/acme"
  external_id = "acme-2026"
}

apps = {
  web = {
    keys = {
      primary = {}
    }
  }
}
