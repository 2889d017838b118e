name          = "Customer 2"
kind          = "customer"
cost_center   = "CC-1002"
tier          = "standard"
business_unit = "commerce"
models        = ["amazon.nova-*", "us.amazon.nova-*", "anthropic.claude-*", "us.anthropic.claude-*", "amazon.titan-embed-*", "bge-large"]

# Its payloads and the texts of its jobs lie under a key of its own.
own_kms_key = true

apps = {
  websearch = {
    keys = { primary = {} }
    tags = { ApplicationID = "websearch", TenantID = "Customer-2" }
    inference_profiles = {
      nova-lite = {
        model       = "amazon.nova-lite-v1:0"
        description = "Web search of Customer-2"
        tags = {
          CreatedBy         = "Dev-Account"
          ApplicationID     = "websearch"
          TenantID          = "Customer-2"
          CustomerAccountID = "987654321"
          ModelProvider     = "Amazon"
          ModelName         = "Nova Lite"
          Environment       = "Dev"
        }
      }
    }
  }
  codingbot = {
    # Small on purpose: the demo uses it up and shows the refusal.
    budget = { month_usd = "0.005" }
    keys   = { primary = {} }
    tags   = { ApplicationID = "codingbot", TenantID = "Customer-2" }
    inference_profiles = {
      claude-haiku = {
        model       = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
        description = "Coding bot of Customer-2"
        tags = {
          CreatedBy         = "Dev-Account"
          ApplicationID     = "codingbot"
          TenantID          = "Customer-2"
          CustomerAccountID = "987654321"
          ModelProvider     = "Anthropic"
          ModelName         = "Claude Haiku"
          Environment       = "Dev"
        }
      }
    }
  }
}
