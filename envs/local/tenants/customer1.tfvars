name          = "Customer 1"
kind          = "customer"
cost_center   = "CC-1001"
tier          = "pro"
business_unit = "consumer"
models        = ["amazon.nova-*", "us.amazon.nova-*", "anthropic.claude-*", "us.anthropic.claude-*", "amazon.titan-embed-*", "mistral-7b-instruct", "bge-large", "Llama*70B"]

apps = {
  websearch = {
    keys = { primary = {} }
    tags = { ApplicationID = "websearch", TenantID = "Customer-1" }
    inference_profiles = {
      nova-lite = {
        model       = "amazon.nova-lite-v1:0"
        description = "Web search of Customer-1"
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
    }
  }
  codingbot = {
    keys = { primary = {} }
    tags = { ApplicationID = "codingbot", TenantID = "Customer-1" }
    inference_profiles = {
      claude-haiku = {
        model       = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
        description = "Coding bot of Customer-1"
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
  }
}
