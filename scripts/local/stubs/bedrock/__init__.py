"""A stand-in for Amazon Bedrock: its runtime, the listings of its control plane, its logs."""
