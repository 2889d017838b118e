"""Statements: a month closed for good, and re-derived from the ledger's rows by whoever doubts it."""
