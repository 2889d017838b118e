"""Usage rows to Parquet and reports in the lake."""
