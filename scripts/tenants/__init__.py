"""Tenant files and keys: read, checked, begun, issued."""
