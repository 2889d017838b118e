"""Amazon Bedrock: CountTokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.adapters.bedrock import upstream_error
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


class BedrockTokenCounter:
    """`tollgate.ports.TokenCounter` on Bedrock. The clients must give up soon."""

    def __init__(
        self, clients: Callable[[Session | None], BedrockRuntimeClient], clock: Clock
    ) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients
        self._clock = clock
        self._uncounted_until: dict[str, datetime] = {}

    def count(
        self, model_id: str, body: Mapping[str, Any], session: Session | None = None
    ) -> int | None:
        """CountTokens of the parts of a Converse body that are input."""
        now = self._clock()
        if self._uncounted_until.get(model_id, now) > now:
            return None
        converse: Any = {name: body[name] for name in COUNTED if name in body}
        try:
            client = self._clients(session)
            answer = client.count_tokens(modelId=model_id, input={"converse": converse})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if _is_about_the_model(code, error.response["Error"].get("Message", "")):
                self._uncounted_until[model_id] = now + UNCOUNTED_TIME
            logger.info("input not counted", extra={"model_id": model_id, "error_code": code})
            return None
        except (BotoCoreError, TollgateError) as error:
            logger.info(
                "input not counted",
                extra={"model_id": model_id, "error_code": type(error).__name__},
            )
            return None
        return answer["inputTokens"]


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


def _is_about_the_model(code: str, message: str) -> bool:
    # An invalid request says nothing about the model, unless it is invalid because of the model.
    return code in ("AccessDeniedException", "ResourceNotFoundException") or (
        code == "ValidationException" and "support" in message
    )
