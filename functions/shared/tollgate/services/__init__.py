"""What the gateway does: admission, the call and its settlement, the ledger, jobs, policy."""
