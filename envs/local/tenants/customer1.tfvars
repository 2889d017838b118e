name        = "Customer 1"
kind        = "customer"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*", "us.amazon.nova-*", "anthropic.claude-*", "us.anthropic.claude-*", "amazon.titan-embed-*"]

apps = {
  websearch = {
    keys = { primary = {} }
    tags = {
      CreatedBy         = "Dev-Account"
      ApplicationID     = "websearch"
      TenantID          = "Customer-1"
      CustomerAccountID = "123456789"
      ModelProvider     = "Amazon"
      ModelName         = "Nova Lite"
      Environment       = "Dev"
    }
  }
  codingbot = {
    keys = { primary = {} }
    tags = {
      CreatedBy         = "Dev-Account"
      ApplicationID     = "codingbot"
      TenantID          = "Customer-1"
      CustomerAccountID = "123456789"
      ModelProvider     = "Anthropic"
      ModelName         = "Claude Haiku"
      Environment       = "Dev"
    }
  }
}
