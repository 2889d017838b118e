"""The oracle: generated bodies against stand-ins that bill the worst a provider could.

    python -m scripts.bench.oracle --bodies 20000 --seed 7

`bodies` makes them, `gateway` sends each through the functions in this process, `bill` prices what
the stand-ins say was used, and `checks` compares: held >= billed, booked = billed, nothing left.
"""
