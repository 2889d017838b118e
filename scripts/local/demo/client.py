"""An app's own view of the gateway, as a tenant's developer would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS = 30


class UnexpectedAnswerError(Exception):
    """The gateway answered something else than it must; the message shows the answer."""


class Client:
    """An app that calls with its key.

    Args:
        url: base URL of the gateway.
        keys: keys by `<tenant>/<app>/<key name>`.
        tenant: the app's tenant.
        app: the app.
    """

    def __init__(self, url: str, keys: Mapping[str, str], tenant: str, app: str) -> None:
        self.name = f"{tenant}/{app}"
        self.tenant = tenant
        self._url = url
        self._key = keys[f"{tenant}/{app}/primary"]

    def list_models(self) -> list[str]:
        """Ids of the models this app may call."""
        answer = requests.get(
            f"{self._url}/list_foundation_models",
            headers={"x-api-key": self._key},
            timeout=TIMEOUT_SECONDS,
        )
        (page,) = expect(answer, 200)
        return [summary["modelId"] for summary in page["modelSummaries"]]

    def post(
        self,
        body: object,
        *,
        model: str | None = None,
        job: str | None = None,
        cursor: int | None = None,
        **headers: str,
    ) -> requests.Response:
        """One `POST /invoke_model`."""
        query = {"model_id": model, "requestId": job, "cursor": cursor}
        return requests.post(
            f"{self._url}/invoke_model",
            params={name: str(value) for name, value in query.items() if value is not None},
            headers={"x-api-key": self._key, "team_id": self.tenant, **headers},
            json=body,
            timeout=TIMEOUT_SECONDS,
        )

    def chat(self, model: str, question: str, max_tokens: int = 200) -> requests.Response:
        """One question in chat mode."""
        message = {"role": "user", "content": [{"text": question}]}
        body = {"inputs": [message], "parameters": {"maxTokens": max_tokens, "temperature": 0.2}}
        return self.post(body, model=model, messages_api="true")


def expect(answer: requests.Response, status: int) -> Any:  # noqa: ANN401 - any JSON
    """The JSON of an answer.

    Raises:
        UnexpectedAnswerError: it has another status.
    """
    if answer.status_code != status:
        raise UnexpectedAnswerError(
            f"{answer.request.method} {answer.url} answered {answer.status_code}, "
            f"not {status}: {answer.text}"
        )
    return answer.json()
