"""Reports from the usage lake."""
