"""One of several processes that call `converse` on one tenant's budget, as clients do.

A client streams or not, goes away in the middle, meets streams that break and models that throttle,
and sends what it has sent before under the same key. Imported where a test starts it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from tests.kill_runner import asked
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.entry.http import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.synchronize import Barrier

    from tollgate.entry.http import Response
    from tollgate_converse.service import ConverseService

MODEL = "amazon.nova-lite-v1:0"
_CHATS = ("openai", "anthropic", "bedrock")
# As often as they stand here.
_FAULTS = (
    *("",) * 12,
    "[stub:cut=mid-stream]",
    "[stub:cut=mid-stream]",
    "[stub:cut=before-metadata]",
    "[stub:error=ThrottlingException]",
    "[stub:error=ModelStreamErrorException@mid-stream]",
)
_MOST_TOKENS = 60
_HELD = "429 budget_held"
_TRIES = 3
_KEYS = 12
# Whether a request that is certain is streamed, and after how many pieces its client leaves.
_STREAMED_AND_LEFT = ((False, None), (True, None), (True, 1))


@dataclass(frozen=True)
class Spree:
    """What a process is to do: `requests` calls of a tenant's app by `threads` threads.

    What each of them is follows from `seed`, those under a key from the key alone.
    """

    process: int
    tenant: str
    app: str
    requests: int
    threads: int
    seed: int


@dataclass(frozen=True)
class _Request:
    dialect: str
    is_streamed: bool
    prompt: str
    key: str | None
    leaves_after: int | None


_together: list[Barrier] = []


def become_a_function(together: Barrier, environment: Mapping[str, str]) -> None:
    """Make the process one of the function's; the pool's initializer."""
    _together.append(together)
    os.environ.update(environment)
    # Functions log to standard output, and write metrics there, which no threads share in Lambda.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for name in ("add_metric", "flush_metrics"):
        patch.object(AmazonCloudWatchEMFProvider, name, lambda *_, **__: None).start()


def spend(spree: Spree) -> Counter[str]:
    """How many requests ended how: the status, and the code of a refusal."""
    from tollgate_converse.handler import build_service  # noqa: PLC0415 - once the environment is set

    service = build_service()
    # Whatever chance makes of the others, some are answered whole, one is not and one is repeated.
    ended = [_send(service, spree, request) for request in _certain(spree)]
    _together[0].wait(PATIENCE_SECONDS)
    requests = [_request(spree, index) for index in range(spree.requests)]
    with ThreadPoolExecutor(spree.threads) as pool:
        ended += pool.map(partial(_send, service, spree), requests)
    ended.append(_send(service, spree, _certain(spree)[0]))
    return Counter(ended)


def certain_requests(processes: int) -> int:
    """How many requests so many processes make besides those of their sprees."""
    return processes * (len(_STREAMED_AND_LEFT) + 1)


def _certain(spree: Spree) -> list[_Request]:
    return [
        _Request(
            dialect=_CHATS[spree.process % len(_CHATS)],
            is_streamed=is_streamed,
            prompt="[stub:tokens=2] hello",
            key=f"{spree.seed}-certain-{spree.process}-{number}",
            leaves_after=leaves_after,
        )
        for number, (is_streamed, leaves_after) in enumerate(_STREAMED_AND_LEFT)
    ]


def sweep_until_nothing_is_held(_: object) -> None:
    """Run `sweep` until no hold waits for it any more."""
    from tollgate_sweep.handler import build_service  # noqa: PLC0415 - as above

    service = build_service()

    def is_clear() -> bool:
        service.sweep()
        accounts = service._accounts.scan()  # noqa: SLF001 - the table that it sweeps
        return not any(account.holds for account in accounts)

    until(is_clear, "the end of all holds")


def _request(spree: Spree, index: int) -> _Request:
    chance = Random(f"{spree.seed}/{spree.process}/{index}")  # noqa: S311 - a test's
    leaves_after = chance.choice((None, None, 0, 1, chance.randrange(20)))
    key = None
    if chance.random() < 0.4:  # noqa: PLR2004 - two of five
        key = f"{spree.seed}-{chance.randrange(_KEYS)}"
        chance = Random(key)  # noqa: S311 - as above
    tokens = chance.randint(1, _MOST_TOKENS)
    return _Request(
        dialect=chance.choice(_CHATS),
        is_streamed=chance.random() < 0.7,  # noqa: PLR2004 - most
        prompt=f"[stub:tokens={tokens}] {chance.choice(_FAULTS)} hello",
        key=key,
        leaves_after=leaves_after,
    )


def _send(service: ConverseService, spree: Spree, request: _Request) -> str:
    run = {"model": MODEL, "prompt": request.prompt}
    resource, body = asked(request.dialect, run, streamed=request.is_streamed)
    identity = {"tenant_id": spree.tenant, "app_id": spree.app, "key_id": "k", "tier": "pro"}
    event = {
        "requestContext": {"requestId": f"gw-{spree.process}", "authorizer": identity},
        "httpMethod": "POST",
        "resource": resource,
        "pathParameters": {"modelId": MODEL},
        "headers": {} if request.key is None else {"Idempotency-Key": request.key},
        "body": json.dumps(body),
    }
    response = service.answer(event)
    for _ in range(_TRIES - 1):
        if _told(response) != _HELD:
            break
        response = service.answer(event)
    if isinstance(response, StreamedResponse):
        return _read(response, request.leaves_after) or _told(response)
    return _told(response)


def _read(response: StreamedResponse, leaves_after: int | None) -> str | None:
    """Read a stream to its end, or until the client goes away."""
    came = 0

    def write(_: bytes) -> None:
        nonlocal came
        if came == leaves_after:
            raise BrokenPipeError
        came += 1

    try:
        response.produce(write)
    except BrokenPipeError:
        return "aborted"
    return None


def _told(response: Response | StreamedResponse) -> str:
    if isinstance(response, StreamedResponse):
        return f"{response.status} streamed"
    if "x-tollgate-replayed" in response["headers"]:
        return "replayed"
    body: Any = json.loads(response["body"])
    status = response["statusCode"]
    error = body.get("error", body)
    code = error.get("code") if isinstance(error, dict) else None
    return str(status) if code is None else f"{status} {code}"
