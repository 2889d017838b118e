"""What handlers are made of: HTTP events, repeats, the Runtime loop, settings, composition."""
