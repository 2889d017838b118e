"""The Bedrock Runtime API: what boto3 sends and reads when its endpoint is the gateway."""
