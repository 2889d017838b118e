"""Tollgate's shared package: the ledger, its adapters and the wire dialects."""
