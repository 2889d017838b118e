"""Wire formats: each module parses requests of one API and renders its answers."""
