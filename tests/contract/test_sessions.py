"""What the root, the module of a tenant's account and the functions say of sessions agrees."""

from __future__ import annotations

from tests.contract import hcl
from tollgate.adapters.sessions import SESSION_SECONDS


def test_a_silo_trusts_the_functions_that_act_for_tenants() -> None:
    variables = {
        name: body
        for block in hcl.load("modules/tenant_role")["variable"]
        for name, body in block.items()
    }
    callers = set(hcl.locals_of("terraform")["_on_tenants_behalf"])

    assert set(variables["caller_functions"]["default"]) == callers
    assert set(hcl.locals_of("terraform")["_with_pool_sessions"]) == callers


def test_a_session_of_a_session_lasts_no_longer_than_aws_allows() -> None:
    """A function's role is a session already, and such a chain ends after an hour."""
    assert SESSION_SECONDS == 3600


def test_whoever_may_take_on_a_role_may_tag_it_and_no_more() -> None:
    for pool_sessions in (False, True):
        for name, function in hcl.functions(pool_sessions=pool_sessions).items():
            roles = [s for s in function["statements"] if "sts:" in str(s["actions"])]
            acts = name in hcl.locals_of("terraform")["_on_tenants_behalf"]
            assert [s["actions"] for s in roles] == (
                [["sts:AssumeRole", "sts:TagSession"]] if acts else []
            )
