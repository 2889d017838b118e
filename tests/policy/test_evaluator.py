"""The evaluator answers as AWS documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.policy.evaluator import Decision, Request, UnsupportedError, allows, decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.policy.evaluator import Value

OBJECT = "arn:aws:s3:::bucket/jobs/acme/1"


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A document of statements that allow everything unless they say otherwise."""
    default = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {k: v for k, v in {**default, **statement}.items() if v is not None}
            for statement in statements
        ],
    }


def under(condition: Mapping[str, Any], **context: Value) -> bool:
    """Whether the condition holds; `a_b` in a key's name stands for `a:b`."""
    keys = {name.replace("_", ":", 1): value for name, value in context.items()}
    request = Request("s3:GetObject", OBJECT, keys)
    return allows([policy({"Condition": condition})], request)


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert decide([], Request("s3:GetObject", OBJECT)) is Decision.NOT_ALLOWED
    assert (
        decide([policy({"Action": "s3:PutObject"})], Request("s3:GetObject", OBJECT))
        is Decision.NOT_ALLOWED
    )


def test_a_denial_wins_over_every_other_policy() -> None:
    documents = [policy({}), policy({"Effect": "Deny", "Action": ["s3:Get*"]}), policy({})]

    assert decide(documents, Request("s3:GetObject", OBJECT)) is Decision.DENIED
    assert decide(documents, Request("s3:PutObject", OBJECT)) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:GetObjec?", True),
        ("s3:GetObject?", False),
        ("dynamodb:*", False),
        ("s3:GetObjectVersion", False),
        ("s3.GetObject", False),
    ],
)
def test_actions(pattern: str, *, fits: bool) -> None:
    request = Request("s3:GetObject", OBJECT)

    assert allows([policy({"Action": ["sqs:SendMessage", pattern]})], request) is fits
    assert allows([policy({"Action": None, "NotAction": pattern})], request) is not fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (OBJECT, True),
        ("arn:aws:s3:::bucket/*", True),
        ("arn:aws:s3:::bucket/jobs/acme/*", True),
        ("arn:aws:s3:::bucket/jobs/acm*/1", True),
        ("arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::bucket/jobs/acmeinc/*", False),
        ("arn:aws:s3:::BUCKET/*", False),
        ("arn:aws:s3:::bucket/jobs/${aws:PrincipalTag/tenant}/*", True),
        ("arn:aws:s3:::bucket/jobs/${AWS:principaltag/tenant}/?", True),
        ("arn:aws:s3:::bucket/jobs/${aws:PrincipalTag/app}/*", False),
        ("arn:aws:s3:::bucket/jobs/${*}/1", False),
    ],
)
def test_resources(pattern: str, *, fits: bool) -> None:
    request = Request("s3:GetObject", OBJECT, {"aws:PrincipalTag/tenant": "acme"})

    assert allows([policy({"Resource": [pattern]})], request) is fits
    assert allows([policy({"Resource": None, "NotResource": pattern})], request) is not fits


def test_a_wildcard_may_be_meant_as_the_character() -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::bucket/*")

    assert allows([policy({"Resource": "arn:aws:s3:::bucket/${*}"})], request)


@pytest.mark.parametrize(
    ("condition", "tag", "holds"),
    [
        ({"StringEquals": {"aws:tag": "acme"}}, "acme", True),
        ({"StringEquals": {"aws:tag": ["globex", "acme"]}}, "acme", True),
        ({"StringEquals": {"aws:tag": "ac*"}}, "acme", False),
        ({"StringEquals": {"aws:tag": "ac*"}}, "ac*", True),
        ({"StringEquals": {"aws:tag": "acme"}}, "Acme", False),
        ({"StringEquals": {"aws:tag": "acme"}}, None, False),
        ({"StringEqualsIgnoreCase": {"aws:tag": "acme"}}, "ACME", True),
        ({"StringEqualsIfExists": {"aws:tag": "acme"}}, None, True),
        ({"StringEqualsIfExists": {"aws:tag": "acme"}}, "globex", False),
        ({"StringNotEquals": {"aws:tag": "acme"}}, "globex", True),
        ({"StringNotEquals": {"aws:tag": ["acme", "globex"]}}, "globex", False),
        ({"StringNotEquals": {"aws:tag": "acme"}}, None, True),
        ({"StringLike": {"aws:tag": "ac*"}}, "acme", True),
        ({"StringLike": {"aws:tag": "ac?"}}, "acme", False),
        ({"StringNotLike": {"aws:tag": "ac*"}}, "acme", False),
        ({"Bool": {"aws:tag": "true"}}, "true", True),
        ({"Bool": {"aws:tag": True}}, "true", True),
        ({"Bool": {"aws:tag": "false"}}, "true", False),
        ({"Bool": {"aws:tag": "false"}}, None, False),
        ({"BoolIfExists": {"aws:tag": "false"}}, None, True),
        ({"Null": {"aws:tag": "true"}}, None, True),
        ({"Null": {"aws:tag": "true"}}, "acme", False),
        ({"Null": {"aws:tag": False}}, "acme", True),
        ({"Null": {"aws:tag": "false"}}, None, False),
        ({"NumericLessThanEquals": {"aws:tag": "10"}}, "9", True),
        ({"NumericLessThanEquals": {"aws:tag": "10"}}, "11", False),
        ({"IpAddress": {"aws:tag": "10.0.0.0/8"}}, "10.1.2.3", True),
        ({"NotIpAddress": {"aws:tag": "10.0.0.0/8"}}, "10.1.2.3", False),
    ],
)
def test_operators(condition: dict[str, Any], tag: str | None, *, holds: bool) -> None:
    assert under(condition, **({} if tag is None else {"aws_tag": tag})) is holds


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("arn:aws:iam::111111111111:role/unit-*", True),
        ("arn:*:iam::111111111111:role/unit-invoke", True),
        ("arn:aws:iam::${aws:PrincipalAccount}:role/unit-invoke", True),
        ("arn:aws:iam::*", False),
        ("arn:aws:iam::222222222222:role/*", False),
    ],
)
def test_a_wildcard_in_an_arn_stays_within_its_part(pattern: str, *, holds: bool) -> None:
    context = {
        "aws_PrincipalArn": "arn:aws:iam::111111111111:role/unit-invoke",
        "aws_PrincipalAccount": "111111111111",
    }

    assert under({"ArnLike": {"aws:PrincipalArn": pattern}}, **context) is holds
    assert under({"ArnNotLike": {"aws:PrincipalArn": pattern}}, **context) is not holds


def test_all_conditions_must_hold() -> None:
    condition = {
        "StringEquals": {"aws:a": "1", "aws:b": "2"},
        "Bool": {"aws:c": "true"},
    }

    assert under(condition, aws_a="1", aws_b="2", aws_c="true")
    assert not under(condition, aws_a="1", aws_b="3", aws_c="true")
    assert not under(condition, aws_a="1", aws_b="2", aws_c="false")


@pytest.mark.parametrize(
    ("keys", "every", "some"),
    [
        (("acme#1",), True, True),
        (("acme#1", "acme#2"), True, True),
        (("acme#1", "globex#1"), False, True),
        (("globex#1",), False, False),
        # A request without the key passes ForAllValues: such a statement must not grant a scan.
        (None, True, False),
    ],
)
def test_keys_of_several_values(keys: tuple[str, ...] | None, *, every: bool, some: bool) -> None:
    context: dict[str, Value] = {"aws_PrincipalTag/tenant": "acme"}
    if keys is not None:
        context["dynamodb_LeadingKeys"] = keys
    wanted = {"dynamodb:LeadingKeys": "${aws:PrincipalTag/tenant}#*"}

    assert under({"ForAllValues:StringLike": wanted}, **context) is every
    assert under({"ForAnyValue:StringLike": wanted}, **context) is some
    assert (
        under({"ForAllValues:StringLike": wanted, "Null": {"dynamodb:LeadingKeys": "false"}})
        is False
    )


def test_a_variable_without_a_value_fits_nothing() -> None:
    condition = {"StringEquals": {"aws:a": "${aws:PrincipalTag/tenant}"}}

    assert not under(condition, aws_a="")
    assert not under(condition, aws_a="${aws:PrincipalTag/tenant}")


def test_principals() -> None:
    role = "arn:aws:iam::111111111111:role/unit-invoke"

    def trusted(principal: object, name: tuple[str, str]) -> bool:
        document = policy({"Principal": principal, "Resource": None})
        return allows([document], Request("sts:AssumeRole", "", principal=name))

    for given in (role, "111111111111", "arn:aws:iam::111111111111:root", "*"):
        assert trusted({"AWS": ["arn:aws:iam::999999999999:root", given]}, ("AWS", role)), given
    assert trusted("*", ("AWS", role))
    assert trusted({"Service": "lambda.amazonaws.com"}, ("Service", "lambda.amazonaws.com"))
    for given in (f"{role}s", "222222222222", "arn:aws:iam::222222222222:root"):
        assert not trusted({"AWS": given}, ("AWS", role)), given
    assert not trusted({"Service": "lambda.amazonaws.com"}, ("AWS", role))


@pytest.mark.parametrize(
    ("statement", "context"),
    [
        ({"Condition": {"DateLessThan": {"aws:tag": "2026-01-01"}}}, {}),
        ({"Condition": {"ForNoValues:StringLike": {"aws:tag": "x"}}}, {}),
        # What AWS makes of it is not documented.
        ({"Condition": {"StringLike": {"aws:tag": "x"}}}, {"aws:tag": ("x", "y")}),
        ({"Resource": "${aws:PrincipalTag/tenant, 'nobody'}"}, {}),
        ({"Resource": "${aws:PrincipalTag/tenant}"}, {"aws:PrincipalTag/tenant": "*"}),
        ({"Resource": "${aws:PrincipalTag/tenant}"}, {"aws:PrincipalTag/tenant": ("a", "b")}),
        ({"Principal": "*"}, {}),
        ({"NotPrincipal": "*"}, {}),
        ({"Effect": "Permit"}, {}),
        ({"Resources": "*"}, {}),
    ],
)
def test_what_it_does_not_know_it_refuses(
    statement: dict[str, Any], context: dict[str, Value]
) -> None:
    with pytest.raises(UnsupportedError):
        decide([policy(statement)], Request("s3:GetObject", OBJECT, context))
