# One deployment for both: a tenant in its own account, one in the pool with profiles and a key.
pool_sessions = true
key_store     = "external"
