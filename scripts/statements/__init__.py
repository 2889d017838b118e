"""Statements: months closed for good, which anybody can derive again from the ledger's rows."""
