"""Errors as SageMaker's runtime answers them, and as it hands on those of a container."""

from __future__ import annotations

from http import HTTPStatus

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.stubs.errors import ServiceError

_STATUS = {
    "AccessDeniedException": HTTPStatus.FORBIDDEN,
    "InternalDependencyException": 530,
    "InternalFailure": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ModelError": HTTPStatus.FAILED_DEPENDENCY,
    "ModelNotReadyException": HTTPStatus.TOO_MANY_REQUESTS,
    "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "ThrottlingException": HTTPStatus.BAD_REQUEST,
    "ValidationError": HTTPStatus.BAD_REQUEST,
}


def refused(message: str) -> ServiceError:
    """The container's own refusal, as SageMaker hands it on."""
    return _model_error(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _model_error(status: int, message: str) -> ServiceError:
    details = {
        "OriginalStatusCode": int(status),
        "OriginalMessage": message,
        "LogStreamArn": f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:/aws/sagemaker/Endpoints/x",
    }
    text = f"Received client error ({int(status)}) from primary with message: {message}"
    return ServiceError("ModelError", text, _STATUS["ModelError"], details)


def failure(code: str, message: str) -> ServiceError:
    """An error of SageMaker itself, or `ContainerError` and `ContainerTimeout` of the container."""
    if code in ("ModelError", "ContainerError"):
        return _model_error(HTTPStatus.INTERNAL_SERVER_ERROR, message)
    if code == "ContainerTimeout":
        return _model_error(0, "Your invocation timed out while waiting for a response")
    return ServiceError(code, message, _STATUS.get(code, HTTPStatus.BAD_REQUEST))
