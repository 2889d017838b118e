"""What the functions' statements in Terraform have in common; tests/aws decides calls by them."""

from __future__ import annotations

from tests.contract import hcl


def test_what_tenants_bring_is_told_by_its_alias_or_tag() -> None:
    """Keys and profiles of a tenant are not named in roles, so that none changes with a tenant."""
    alias = {"ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/${var.prefix}/tenants/*"]}}
    tag = {"StringEquals": {"aws:ResourceTag/tollgate-unit": ["${var.prefix}"]}}
    found = set()
    for name, function in hcl.functions().items():
        for statement in function["statements"]:
            for resource in statement["resources"]:
                for kind, condition in (
                    (":key/*", alias),
                    (":application-inference-profile/*", tag),
                ):
                    if resource.endswith(kind):
                        found.add((name, kind))
                        assert statement["conditions"] == condition
    callers = {"converse", "invoke", "stream"}
    assert {name for name, _ in found} == callers
    assert len(found) == len(callers) * 2


def test_every_function_is_denied_the_unmetered_endpoint() -> None:
    for name, function in hcl.functions().items():
        denied = [s for s in function["statements"] if s.get("effect") == "Deny"]
        calls_models = any("bedrock" in str(s["actions"]) for s in function["statements"])
        assert bool(denied) == calls_models, name
