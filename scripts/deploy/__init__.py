"""Deployments: environments, the state's bucket, plans, what they tell and what they hide."""
