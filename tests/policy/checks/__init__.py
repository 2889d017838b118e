"""Checkov loads Python checks only from a folder that has this file."""
