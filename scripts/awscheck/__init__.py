"""Small calls against a deployed gateway that show whether AWS is what the code takes it for.

A probe is a function with a name, what is expected, and what it looks at in its docstring; learn
one and know all. `calls` has those of the API, `account` those of what stands around it.
"""
