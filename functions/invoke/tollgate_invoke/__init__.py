"""`POST /invoke_model`: buffered model calls, and the start and poll of jobs."""
