"""Pure rules of the gateway. Standard library only."""
