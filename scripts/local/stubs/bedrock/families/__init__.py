"""Native bodies of the Bedrock stub: a module per family of models; `registry` finds it."""
