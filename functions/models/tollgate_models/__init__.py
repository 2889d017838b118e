"""`GET /list_foundation_models`: what a tenant may call."""
