"""The ledger as FOCUS: cost and usage in the columns that FinOps tools read."""
