"""The page: a period's figures from the named queries as one HTML file that needs nothing else."""
