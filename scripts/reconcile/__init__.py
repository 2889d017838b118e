"""The ledger against AWS's bill."""
