"""Answers in one-element arrays, under the keys that installed clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain import native
from tollgate.domain.converse import joined_text, json_blocks
from tollgate.domain.errors import UpstreamFailedError
from tollgate.domain.prices import TokenUsage
from tollgate.services.jobs import usage_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.jobs import JobView
    from tollgate.services.calls import Answer

Body = list[dict[str, Any]]


def chat_body(answers: Sequence[Answer]) -> Body:
    """The answer of a chat."""
    (answer,) = answers
    return _text_body(answer, _generated(answer.content))


def prompt_body(answers: Sequence[Answer]) -> Body:
    """The answer of a model to a prompt."""
    (answer,) = answers
    return _text_body(answer, native.text_of(answer.document))


def container_body(answers: Sequence[Answer]) -> Body:
    """The answer of an endpoint's container to a prompt."""
    (answer,) = answers
    return _text_body(answer, _container_text(answer))


def container_chat_body(answers: Sequence[Answer]) -> Body:
    """The answer of an endpoint's container to messages."""
    (answer,) = answers
    return _text_body(answer, _message_text(answer))


def vectors_body(answers: Sequence[Answer], *, is_batch: bool) -> Body:
    """One vector under the key that clients know; all of them beside it where a list was sent."""
    vectors = [vector for answer in answers for vector in native.vectors_of(answer.document)]
    if not vectors:
        raise _unreadable(answers[-1], "no embedding")
    body: dict[str, Any] = {"embedding": vectors[0]}
    if is_batch or len(vectors) > 1:
        body["embeddings"] = vectors
    used = TokenUsage(
        input=sum(answer.usage.total_input for answer in answers),
        output=sum(answer.usage.output for answer in answers),
    )
    return [{**body, "usage": usage_counts(used)}]


def images_body(answers: Sequence[Answer]) -> Body:
    """Images as Amazon's models give them."""
    (answer,) = answers
    return [{"images": answer.document.get("images", [])}]


def artifacts_body(answers: Sequence[Answer]) -> Body:
    """Images as Stability's first models gave them, whatever form this one gives."""
    (answer,) = answers
    document = answer.document
    if "artifacts" in document:
        return [{"artifacts": document["artifacts"]}]
    images = document.get("images") or []
    seeds = document.get("seeds") or [None] * len(images)
    reasons = document.get("finish_reasons") or [None] * len(images)
    artifacts = [
        {"base64": image, "seed": seed, "finishReason": reason or "SUCCESS"}
        for image, seed, reason in zip(images, seeds, reasons, strict=False)
    ]
    return [{"artifacts": artifacts}]


def started_body(job_id: str) -> Body:
    """The body of a started job."""
    return [{"request_id": job_id}]


def job_body(view: JobView) -> Body:
    """The body of a poll of a job that has not failed."""
    if view.job.status == "succeeded":
        result = view.job.result
        return [
            {
                "generated_text": view.text if view.content is None else view.content,
                "stop_reason": result["stop_reason"],
                "usage": result["usage"],
            }
        ]
    return [
        {
            "request_id": view.job.job_id,
            "status": view.job.status,
            "partial_text": view.text,
            "cursor": view.cursor,
        }
    ]


def _text_body(answer: Answer, text: str | list[dict[str, Any]]) -> Body:
    return [
        {
            "generated_text": text,
            "stop_reason": answer.stop_reason,
            "usage": usage_counts(answer.usage),
        }
    ]


def _generated(content: Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """The text, or every block where tools are to be used: the next request has them again."""
    if any("toolUse" in block for block in content):
        return json_blocks(content)
    return joined_text(content)


def _container_text(answer: Answer) -> str:
    document = answer.document
    first = document[0] if isinstance(document, list) and document else document
    text = first.get("generated_text") if isinstance(first, dict) else None
    if not isinstance(text, str):
        raise _unreadable(answer, "no generated_text")
    return text


def _message_text(answer: Answer) -> str:
    try:
        content = answer.document["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise _unreadable(answer, "no message in choices") from error
    return content.strip() if isinstance(content, str) else ""


def _unreadable(answer: Answer, missing: str) -> UpstreamFailedError:
    """The failure of an answer that is not of the mode's form; it is charged all the same."""
    error = UpstreamFailedError(
        f"the model's answer has {missing}, so it is not of the mode that was asked for; "
        "the call is charged",
        code="upstream_unreadable",
        may_be_billed=True,
    )
    error.request_id = answer.request_id
    return error
