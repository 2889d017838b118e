"""The gateway under test as a client sees it, and the account that it runs in."""

from __future__ import annotations

import http.client
import json
import re
import time
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECONDS = 60
_PIECE_BYTES = 65_536
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
COST_HEADER = "x-tollgate-cost-usd"


def chat(text: str = "Say yes.", tokens: int = 16) -> dict[str, Any]:
    """The body of a chat as Converse has it."""
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"messages": messages, "inferenceConfig": {"maxTokens": tokens}}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; seconds count from when the request was sent, a piece is what one read gave."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_seconds: float
    seconds: float
    pieces: int

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, in the dialect's own place; empty where there is none."""
        try:
            document = self.document
        except ValueError:
            return ""
        found = document.get("code") or document.get("error") or document.get("type") or ""
        return str(found.get("code") or found.get("type") if isinstance(found, dict) else found)


@dataclass
class Gateway:
    """Where the gateway is, who calls it, and the account around it.

    `clients` makes boto3 clients of the deployment's region. `call_model` is a cheap model that the
    tenant may call. `burst` is how many requests its usage plan takes at once. `guardrail` is
    whether the tenant has one, `profile` the name of one of the app's inference profiles.
    """

    url: str
    key: str
    tenant_id: str
    prefix: str
    region: str
    rest_api_id: str
    model: str
    clients: Callable[[str], Any]
    partition: str = "aws"
    burst: int | None = None
    guardrail: bool = False
    profile: str | None = None
    allowed_cidrs: tuple[str, ...] = ()
    idle_seconds: float = 600
    patience_seconds: float = 300
    sleep: Callable[[float], None] = time.sleep
    _account: str | None = None
    cost: Decimal = field(default=Decimal(0))
    """What the calls so far said that they cost, in USD; streams say it at their end."""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with the key, and read its answer as it comes.

        Raises OSError or HTTPException where the connection breaks.
        """
        parts = urlsplit(self.url)
        kinds = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}
        connection = kinds[parts.scheme](parts.netloc, timeout=_SECONDS)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            began = time.monotonic()
            content = None if body is None else json.dumps(body)
            connection.request(method, f"{parts.path}{path}", content, {**sent, **(headers or {})})
            response = connection.getresponse()
            pieces: list[bytes] = []
            first = 0.0
            while piece := response.read1(_PIECE_BYTES):
                first = first or time.monotonic() - began
                pieces.append(piece)
            seconds = time.monotonic() - began
        finally:
            connection.close()
        answer = Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=b"".join(pieces),
            first_seconds=first,
            seconds=seconds,
            pieces=len(pieces),
        )
        self._count(answer.headers.get(COST_HEADER))
        return answer

    def converse(self, body: object = None, model: str | None = None) -> Answer:
        """Send a chat to the model, or to another one, by Bedrock's own route."""
        path = f"/model/{quote(model or self.model, safe='')}/converse"
        return self.request("POST", path, body or chat())

    def _count(self, cost: str | None) -> None:
        try:
            self.cost += Decimal(cost or 0)
        except InvalidOperation:
            return

    def until(self, found: Callable[[], bool], seconds: float, pause: float = 5) -> bool:
        """Look every `pause` seconds, for `seconds` at most; whether it was found."""
        for _ in range(max(int(seconds / pause), 1)):
            if found():
                return True
            self.sleep(pause)
        return found()

    def now(self) -> int:
        """The time in seconds since 1970."""
        return int(time.time())

    @property
    def account(self) -> str:
        """The account's id."""
        if self._account is None:
            self._account = str(self.clients("sts").get_caller_identity()["Account"])
        return self._account

    @property
    def payloads_bucket(self) -> str:
        """The bucket that answers lie in while they can be asked for again."""
        return f"{self.prefix}-payloads-{self.account}"

    def redacted(self, text: str) -> str:
        """The text without the key and account ids, on one line."""
        plain = " ".join(text.replace(self.key, "<key>").split())
        return _ACCOUNT.sub("<account>", plain)
