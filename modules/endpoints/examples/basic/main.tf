# Endpoints with each kind of price, and one without.
module "endpoints" {
  source = "../.."

  endpoints = {
    "Llama by token"  = { endpoint = "llama-3-8b", price = { per_1m_input = "0.5", per_1m_output = "1.5" }, max_tokens = 1024, components = ["llama-3-8b-legal"] }
    "Embedder"        = { endpoint = "bge-large", price = { per_request = "0.0001" } }
    "Mixtral by hour" = { endpoint = "mixtral-8x7b", price = { instance_hour_usd = "7.09", instances = 2 } }
    "Not priced yet"  = "mistral-7b"
  }
}

output "json" {
  description = "The endpoints as functions read them."
  value       = module.endpoints.json
}
