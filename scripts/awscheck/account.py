"""Probes of what stands around the API: its policy, logs, metrics, reports."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.awscheck.gateway import chat
from scripts.awscheck.probes import NotChecked, Probe, Seen, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.awscheck.gateway import Gateway

PROBES: list[Probe] = []
_probe = partial(probe, PROBES)

_BACK_SECONDS = 900
_PERIOD_SECONDS = 60
_TEXT = "Say the word tollgate."
_CALLS = "SEARCH('Namespace=\"Tollgate\" MetricName=\"Calls\"', 'Sum', 60)"


@_probe(
    "resource policy",
    "the API's policy allows, with the allowed_cidrs of env.tfvars and no others",
    not_emulated="the front door reads no resource policy",
)
def resource_policy(gateway: Gateway) -> Seen:
    """An API kept the policy of its first import, whatever was applied later."""
    api = gateway.clients("apigateway").get_rest_api(restApiId=gateway.rest_api_id)
    # API Gateway gives it with the quotes of a JSON text escaped.
    text = api.get("policy", "{}").replace('\\"', '"').replace("\\/", "/")
    statements = json.loads(text).get("Statement", [])
    effects = sorted({statement["Effect"] for statement in statements})
    cidrs = sorted(set(_addresses(statements)))
    is_expected = "Allow" in effects and cidrs == sorted(gateway.allowed_cidrs)
    return Seen(is_expected, f"{', '.join(effects) or 'no policy'}, {len(cidrs)} CIDR blocks")


def _addresses(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        for operator, keys in statement.get("Condition", {}).items():
            if operator.endswith("IpAddress"):
                for blocks in keys.values():
                    yield from [blocks] if isinstance(blocks, str) else blocks


@_probe(
    "log line",
    "one line of the call in the function's log, with its cost and without its text",
    not_emulated="functions of the local stack write no CloudWatch logs",
)
def log_line(gateway: Gateway) -> Seen:
    """JSON logs arrive, and hold no prompt."""
    answer = gateway.converse(chat(_TEXT))
    request_id = answer.headers.get("x-request-id", "")
    if answer.status != HTTPStatus.OK or not request_id:
        return Seen(False, f"the call: {answer.status} {answer.code}")
    logs = gateway.clients("logs")
    found: list[str] = []

    def look() -> bool:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{gateway.prefix}-converse",
            startTime=(gateway.now() - _BACK_SECONDS) * 1000,
            filterPattern=f'"{request_id}"',
        )
        found[:] = [event["message"] for page in pages for event in page["events"]]
        return any("total_cost" in line for line in found)

    is_there = gateway.until(look, gateway.patience_seconds)
    is_secret = not any(_TEXT in line for line in found)
    text = f"{len(found)} lines, {'one' if is_there else 'none'} with the cost"
    return Seen(is_there and is_secret, text if is_secret else f"{text}; THE PROMPT IS IN THE LOG")


@_probe(
    "EMF arrival",
    "the metric Tollgate/Calls has these calls within minutes",
    not_emulated="the local stack has no CloudWatch that reads log lines",
)
def metrics(gateway: Gateway) -> Seen:
    """Metrics are log lines that CloudWatch reads; a line that stays in a buffer is none."""
    cloudwatch = gateway.clients("cloudwatch")
    counted: list[float] = []

    def look() -> bool:
        answer = cloudwatch.get_metric_data(
            StartTime=gateway.now() - _BACK_SECONDS,
            EndTime=gateway.now() + _PERIOD_SECONDS,
            MetricDataQueries=[{"Id": "calls", "Expression": _CALLS, "Period": _PERIOD_SECONDS}],
        )
        counted[:] = [value for result in answer["MetricDataResults"] for value in result["Values"]]
        return sum(counted) > 0

    is_there = gateway.until(look, gateway.patience_seconds)
    return Seen(is_there, f"{sum(counted):.0f} calls in {_BACK_SECONDS // 60} minutes")


@_probe(
    "Athena query",
    "SUCCEEDED: the workgroup, the catalogue, the lake and its key fit each other",
    not_emulated="the local stack has no Athena",
)
def athena(gateway: Gateway) -> Seen:
    """Reports are read as finance reads them; an empty lake has 0 rows."""
    client = gateway.clients("athena")
    started = client.start_query_execution(
        QueryString="SELECT count(*) FROM usage",
        QueryExecutionContext={"Database": gateway.prefix.replace("-", "_")},
        WorkGroup=gateway.prefix,
    )
    query = {"QueryExecutionId": started["QueryExecutionId"]}
    status: dict[str, Any] = {}

    def look() -> bool:
        status.update(client.get_query_execution(**query)["QueryExecution"]["Status"])
        return status["State"] in ("SUCCEEDED", "FAILED", "CANCELLED")

    gateway.until(look, gateway.patience_seconds, pause=2)
    if status["State"] != "SUCCEEDED":
        return Seen(False, f"{status['State']}: {status.get('StateChangeReason', '')}")
    rows = client.get_query_results(**query)["ResultSet"]["Rows"]
    return Seen(True, f"SUCCEEDED, {rows[1]['Data'][0]['VarCharValue']} rows of usage")


@_probe(
    "dashboard",
    "each dashboard of the deployment reads as CloudWatch takes it, with widgets",
    not_emulated="the local stack has no CloudWatch dashboards",
)
def dashboard(gateway: Gateway) -> Seen:
    """Dashboards are JSON that only CloudWatch itself judges."""
    client = gateway.clients("cloudwatch")
    listed = client.list_dashboards(DashboardNamePrefix=gateway.prefix)["DashboardEntries"]
    if not listed:
        raise NotChecked("the deployment has no dashboard")
    widgets = {
        entry["DashboardName"]: len(_widgets(client, entry["DashboardName"])) for entry in listed
    }
    seen = ", ".join(f"{name}: {count} widgets" for name, count in sorted(widgets.items()))
    return Seen(all(widgets.values()), seen)


def _widgets(client: Any, name: str) -> list[Any]:  # noqa: ANN401
    body = json.loads(client.get_dashboard(DashboardName=name)["DashboardBody"])
    widgets: list[Any] = body.get("widgets", [])
    return widgets
