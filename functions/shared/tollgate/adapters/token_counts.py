"""Amazon Bedrock: CountTokens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.adapters.failures import upstream_error
from tollgate.domain.converse import COUNTED
from tollgate.domain.errors import TollgateError
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.domain.sessions import Session
    from tollgate.ports import Clock, CountRequest

# How long a model that does not count is not asked again.
UNCOUNTED_TIME = timedelta(hours=1)
# Of how many models and sessions a process remembers that.
MOST_REMEMBERED = 1000

# All of a message that says that a model does not count. A message about a request may repeat parts
# of it, so that one which only has such words in it says nothing of other requests.
_CANNOT_COUNT = re.compile(
    r"(the|this) ((provided|given|specified|requested) )?model( id(entifier)?)? "
    r"(does not|doesn't|cannot|can't|is not|isn't) (support(ed)? )?(for |by )?(the )?"
    r"(counting (of )?tokens|count tokens|token counting|counttokens( api| operation)?)\.?",
    re.IGNORECASE,
)
# About who asks: a model may be open to one role and closed to another.
_CLOSED = ("AccessDeniedException", "ResourceNotFoundException")


class BedrockTokenCounter:
    """`tollgate.ports.TokenCounter` on Bedrock. The clients must give up soon."""

    def __init__(
        self, clients: Callable[[Session | None], BedrockRuntimeClient], clock: Clock
    ) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients
        self._clock = clock
        # By the model, and by the model and whose role may not count with it.
        self._uncounted_until: dict[tuple[str, Session | None] | str, datetime] = {}

    def count(
        self, model_id: str, body: Mapping[str, Any], session: Session | None = None
    ) -> int | None:
        """CountTokens of the parts of a Converse body that are input."""
        now = self._clock()
        asked = (model_id, session)
        if any(self._uncounted_until.get(known, now) > now for known in (model_id, asked)):
            return None
        converse: Any = {name: body[name] for name in COUNTED if name in body}
        try:
            client = self._clients(session)
            answer = client.count_tokens(modelId=model_id, input={"converse": converse})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if _CANNOT_COUNT.fullmatch(error.response["Error"].get("Message", "")):
                self._remember(model_id, now)
            elif code in _CLOSED:
                self._remember(asked, now)
            logger.info("input not counted", extra={"model_id": model_id, "error_code": code})
            return None
        except (BotoCoreError, TollgateError) as error:
            logger.info(
                "input not counted",
                extra={"model_id": model_id, "error_code": type(error).__name__},
            )
            return None
        return answer["inputTokens"]

    def _remember(self, uncounted: tuple[str, Session | None] | str, now: datetime) -> None:
        if len(self._uncounted_until) >= MOST_REMEMBERED:
            self._uncounted_until.clear()
        self._uncounted_until[uncounted] = now + UNCOUNTED_TIME


class BedrockInputCounter:
    """`tollgate.ports.InputCounter` on Bedrock."""

    def __init__(self, clients: Callable[[Session | None], BedrockRuntimeClient]) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients

    def input_tokens(self, request: CountRequest) -> int:
        """CountTokens, which costs nothing."""
        given: Any = request.given
        client = self._clients(request.session)
        try:
            return client.count_tokens(modelId=request.model_id, input=given)["inputTokens"]
        except (BotoCoreError, ClientError) as error:
            failure = upstream_error(error)
            failure.may_be_billed = False
            raise failure from error
