"""What AWS's own services do with the functions' roles, which no code of ours asks for.

Lambda writes logs, opens the environment, reads the queue and makes interfaces in a network; the
scheduler starts functions. The mocks of Terraform's provider name what those calls are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.local.ministack import REGION
from scripts.local.provision import PREFIX
from tests.aws.authorizations import Asked, arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.aws.authorizations import World

SCHEDULED = ("aggregate", "sweep")
QUEUED = ("stream",)
# ARNs in modules/_mocks of what the module of a function makes itself.
_LOG = "arn:aws:logs:us-east-1:111122223333:log-group:mock:log-stream:2026/11/30/[$LATEST]0"
_DEAD_QUEUE = "arn:aws:sqs:us-east-1:111122223333:mock"
_FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:mock"
_INTERFACE = f"arn:aws:ec2:{REGION}:000000000000:network-interface/eni-0"
_IN_NETWORK = (
    Asked("ec2:AssignPrivateIpAddresses", _INTERFACE),
    Asked("ec2:CreateNetworkInterface", _INTERFACE),
    Asked("ec2:DeleteNetworkInterface", _INTERFACE),
    Asked("ec2:DescribeNetworkInterfaces", "*"),
    Asked("ec2:DescribeSubnets", "*"),
    Asked("ec2:UnassignPrivateIpAddresses", _INTERFACE),
)


def made_by_services(
    world: World, function: str, *, in_network: bool
) -> Iterator[tuple[str, Asked]]:
    """The role and what is asked for with it."""
    own = f"{PREFIX}-{function}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        yield own, Asked(action, _LOG)
    yield from ((own, asked) for asked in world.under_key("lambda", "Decrypt"))
    if function in QUEUED:
        queue = arn("sqs", f"{PREFIX}-jobs")
        reading = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
        yield from ((own, Asked(f"sqs:{action}", queue)) for action in reading)
        yield from ((own, asked) for asked in world.under_key("sqs", "Decrypt"))
    if function in SCHEDULED:
        yield f"{own}-schedule", Asked("lambda:InvokeFunction", _FUNCTION)
        # Events that failed are kept by both: with the function's role, and the schedule's own.
        for role in (own, f"{own}-schedule"):
            yield role, Asked("sqs:SendMessage", _DEAD_QUEUE)
            keys = world.under_key("sqs", "GenerateDataKey", "Decrypt")
            yield from ((role, asked) for asked in keys)
    if in_network:
        yield from ((own, asked) for asked in _IN_NETWORK)
