"""The routes of both seed systems, buffered, and the start of jobs."""
