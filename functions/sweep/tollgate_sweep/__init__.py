"""Ends holds whose caller died."""
