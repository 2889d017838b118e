"""What a past period would have been under other prices, budgets and limits."""
