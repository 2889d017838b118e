"""What the functions' statements in Terraform have in common; tests/aws decides calls by them."""

from __future__ import annotations

import re

from tests.contract import hcl

# Only what takes ARNs of any partition names none of ours; examples and tests have one.
_ARN = re.compile(r'"arn:aws[^$"\[]*:')


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


def test_no_arn_names_the_partition() -> None:
    """What is made in GovCloud has ARNs of GovCloud's."""
    found = {
        file.relative_to(hcl.ROOT).as_posix(): _ARN.findall(text)
        for folder in ("terraform", "modules", "envs")
        for file in (hcl.ROOT / folder).rglob("*.tf")
        if not {".terraform", "examples", "tests"} & set(file.relative_to(hcl.ROOT).parts)
        for text in [file.read_text("utf-8")]
        if _ARN.search(text)
    }
    assert found == {}
    assert _ARN.search('x = "arn:aws:s3:::lake"')
