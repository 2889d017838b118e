"""Measurements: of requests, cold starts, other gateways, many tenants, and of the tests."""
