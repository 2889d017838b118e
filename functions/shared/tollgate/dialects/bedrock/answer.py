"""Answers of Bedrock Runtime's API: Bedrock's own, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock.blobs import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.services.calls import Answer

# The SDKs read x-amzn-requestid, which API Gateway sets itself.
ID_HEADERS: Sequence[str] = ()


def chat_body(_parsed: ParsedCall, answer: Answer) -> Any:  # noqa: ANN401 - JSON
    """A Converse response."""
    return encoded(answer.document)


def native_body(_parsed: ParsedCall, answer: Answer) -> Any:  # noqa: ANN401 - JSON
    """The provider's own answer, as InvokeModel gives it."""
    return answer.document


def count_body(input_tokens: int) -> dict[str, int]:
    """A count of tokens."""
    return {"inputTokens": input_tokens}
