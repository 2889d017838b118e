"""Command-line programs of the repository, each run as ``python -m scripts.<name>``."""
