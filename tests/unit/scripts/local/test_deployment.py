"""What is read of a state, resource by resource."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.local import deployment
from scripts.local.deployment import Queue, Table
from scripts.local.usage_plans import UsagePlan

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/k"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:tollgate-test-jobs"


def resource(kind: str, address: str, index: str | None = None, **values: object) -> dict[str, Any]:
    """One of a state, as `terraform show -json` has it."""
    return {"mode": "managed", "type": kind, "address": address, "index": index, "values": values}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    """Resources, with those that every deployment has."""
    ceiling = json.dumps({"rate_limit": 125, "burst_limit": 250})
    needed = (
        resource(
            "aws_api_gateway_rest_api", "module.gateway.a.this", name="tollgate-test", body="{}"
        ),
        resource("aws_kms_key", "aws_kms_key.this", arn=KEY_ARN),
        resource("aws_ssm_parameter", "a.output", index="usage_plan_ceiling", value=ceiling),
    )
    # As the root module has them: some in itself, most in modules.
    return {"root_module": {"resources": needed, "child_modules": [{"resources": resources}]}}


def key(tenant: str, name: str, *, enabled: bool = True) -> list[dict[str, Any]]:
    module, key_id = f'module.tenant["{tenant}"]', f"{tenant}-{name}"
    return [
        resource(
            "aws_api_gateway_api_key",
            f'{module}.aws_api_gateway_api_key.this["{name}"]',
            index=name,
            id=key_id,
            value=f"value of {key_id}",
            enabled=enabled,
        ),
        resource(
            "aws_api_gateway_usage_plan_key",
            f'{module}.aws_api_gateway_usage_plan_key.this["{name}"]',
            index=name,
            key_id=key_id,
            usage_plan_id=f"plan of {tenant}",
        ),
    ]


def plan(tenant: str, throttle: list[object], quota: list[object]) -> dict[str, Any]:
    return resource(
        "aws_api_gateway_usage_plan",
        f'module.tenant["{tenant}"].module.usage_plan[0].aws_api_gateway_usage_plan.this',
        id=f"plan of {tenant}",
        throttle_settings=throttle,
        quota_settings=quota,
    )


def test_a_key_has_the_plan_that_it_is_in_unless_it_is_disabled() -> None:
    read = deployment.read(
        state(
            *key("acme", "web/primary"),
            *key("acme", "web/old", enabled=False),
            *key("globex", "web/primary"),
            plan("acme", [{"rate_limit": 20, "burst_limit": 50}], [{"limit": 5, "period": "DAY"}]),
            plan("globex", [], []),
        )
    )

    assert read.prefix == "tollgate-test"
    assert read.ceiling == UsagePlan(rate_per_second=125, burst=250)
    assert read.keys == {
        "acme/web/primary": "value of acme-web/primary",
        "acme/web/old": "value of acme-web/old",
        "globex/web/primary": "value of globex-web/primary",
    }
    assert read.usage_plans == {
        "value of acme-web/primary": UsagePlan(20, 50, 5),
        "value of globex-web/primary": UsagePlan(),
    }


def test_a_tenant_may_name_its_profiles_and_its_own_models() -> None:
    own = {"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/m": "amazon.nova-lite-v1:0"}
    items = ({"document": {"S": json.dumps({"model_arns": own})}}, {"tenant_id": {"S": "acme"}})
    read = deployment.read(
        state(
            resource(
                "aws_bedrock_inference_profile",
                "profile",
                arn="arn:profile",
                model_source=[{"copy_from": "arn:x:inference-profile/us.amazon.nova-pro-v1:0"}],
            ),
            *(resource("aws_dynamodb_table_item", "item", item=json.dumps(i)) for i in items),
        )
    )

    assert read.models_by_profile_arn == {"arn:profile": "us.amazon.nova-pro-v1:0", **own}


def test_a_table_has_its_keys_indexes_ttl_and_stream() -> None:
    index = {"name": "by-day", "hash_key": "day", "range_key": "", "projection_type": "ALL"}
    table = {
        "attribute": [{"name": "pk", "type": "S"}, {"name": "day", "type": "N"}],
        "hash_key": "pk",
        "range_key": "",
        "ttl": [{"attribute_name": "expires_at", "enabled": True}],
        "stream_enabled": True,
        "stream_view_type": "NEW_IMAGE",
        "global_secondary_index": [index],
        "local_secondary_index": None,
        "server_side_encryption": [{"enabled": True, "kms_key_arn": KEY_ARN}],
    }
    plain = {
        **table,
        "ttl": [{"attribute_name": "", "enabled": False}],
        # Known once it was on, whether or not it is.
        "stream_enabled": False,
        "global_secondary_index": [],
        "server_side_encryption": [],
    }
    read = deployment.read(
        state(
            resource("aws_dynamodb_table", "a", name="tollgate-test-usage", **table),
            resource("aws_dynamodb_table", "b", name="tollgate-test-plain", **plain),
        )
    )

    attributes = {"pk": "S", "day": "N"}
    assert read.tables == {
        "plain": Table(attributes, "pk"),
        "usage": Table(
            attributes,
            "pk",
            ttl="expires_at",
            stream="NEW_IMAGE",
            indexes={"by-day": index},
            kms_key_arn=KEY_ARN,
        ),
    }


def test_a_queue_has_what_is_not_sqss_own_default() -> None:
    values = {
        "name": "tollgate-test-jobs",
        "url": "https://q/jobs",
        "arn": QUEUE_ARN,
        "delay_seconds": 0,
        # Not told, as in a plan.
        "kms_data_key_reuse_period_seconds": None,
        "kms_master_key_id": KEY_ARN,
        "max_message_size": 262144,
        "message_retention_seconds": 86400,
        "receive_wait_time_seconds": 0,
        "visibility_timeout_seconds": 900,
        "redrive_policy": '{ "deadLetterTargetArn" : "arn:dead", "maxReceiveCount": 5 }',
    }
    read = deployment.read(state(resource("aws_sqs_queue", "q", **values)))

    assert read.queues["jobs"] == Queue(
        "https://q/jobs",
        QUEUE_ARN,
        {
            "KmsMasterKeyId": KEY_ARN,
            "MessageRetentionPeriod": "86400",
            "VisibilityTimeout": "900",
            "RedrivePolicy": '{"deadLetterTargetArn": "arn:dead", "maxReceiveCount": 5}',
        },
    )


def test_data_sources_are_no_resources() -> None:
    found = {**resource("aws_kms_key", "aws_kms_key.this", arn="arn:other"), "mode": "data"}

    assert deployment.read(state(found)).kms_key_arn == KEY_ARN


@pytest.mark.parametrize("kind", ["aws_api_gateway_rest_api", "aws_kms_key", "aws_ssm_parameter"])
def test_a_state_that_is_no_deployments_is_refused(kind: str) -> None:
    whole = state()
    root = whole["root_module"]
    root["resources"] = [found for found in root["resources"] if found["type"] != kind]

    with pytest.raises(ValueError, match=f"^{kind}.*: got 0 in the state; allowed: 1$"):
        deployment.read(whole)
