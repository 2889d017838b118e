"""The request authorizer: from a key to a tenant."""
