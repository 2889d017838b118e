"""The Anthropic API: Messages in terms of Converse, for Claude and every other chat model."""
