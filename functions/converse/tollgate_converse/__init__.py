"""The dialects of OpenAI, Anthropic and Bedrock Runtime, with streamed answers."""
