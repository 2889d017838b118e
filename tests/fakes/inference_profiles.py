"""The part of Bedrock's control plane that makes inference profiles, for Terraform and boto3.

No emulator has it. It answers over HTTP on loopback; what it made is lost when it stops.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_CREATED = "2026-01-01T00:00:00Z"


class UnknownProfileError(Exception):
    """No profile has this ARN or id."""


class RepeatedNameError(Exception):
    """A profile has this name already."""


@dataclass
class Profiles:
    """The application inference profiles of one account and region, by ARN."""

    account_id: str
    region: str
    _by_arn: dict[str, dict[str, Any]] = field(default_factory=dict)
    _tags: dict[str, dict[str, str]] = field(default_factory=dict)
    _made: int = 0

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises RepeatedNameError."""
        name = asked["inferenceProfileName"]
        if any(found["inferenceProfileName"] == name for found in self._by_arn.values()):
            raise RepeatedNameError(name)
        self._made += 1
        profile_id = f"{self._made:012d}"
        owner = f"arn:aws:bedrock:{self.region}:{self.account_id}"
        arn = f"{owner}:application-inference-profile/{profile_id}"
        source = asked["modelSource"]["copyFrom"]
        self._by_arn[arn] = {
            "createdAt": _CREATED,
            # Left out where none was given, as by AWS; an empty one would be a change to Terraform.
            **({"description": asked["description"]} if "description" in asked else {}),
            "inferenceProfileArn": arn,
            "inferenceProfileId": profile_id,
            "inferenceProfileName": name,
            "models": [{"modelArn": source}],
            "status": "ACTIVE",
            "type": "APPLICATION",
            "updatedAt": _CREATED,
        }
        self._tags[arn] = {tag["key"]: tag["value"] for tag in asked.get("tags", [])}
        return {"inferenceProfileArn": arn, "status": "ACTIVE"}

    def get(self, identifier: str) -> dict[str, Any]:
        """Raises UnknownProfileError."""
        for arn, profile in self._by_arn.items():
            if identifier in {arn, profile["inferenceProfileId"]}:
                return profile
        raise UnknownProfileError(identifier)

    def delete(self, identifier: str) -> dict[str, Any]:
        """Raises UnknownProfileError."""
        del self._by_arn[self.get(identifier)["inferenceProfileArn"]]
        return {}

    def all(self) -> dict[str, Any]:
        """Every profile, in one page."""
        return {"inferenceProfileSummaries": list(self._by_arn.values())}

    def tags(self, arn: str) -> dict[str, Any]:
        """The tags of a profile. Raises UnknownProfileError."""
        tags = self._tags[self.get(arn)["inferenceProfileArn"]]
        return {"tags": [{"key": key, "value": value} for key, value in sorted(tags.items())]}


class _Handler(BaseHTTPRequestHandler):
    profiles: Profiles

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/inference-profiles":
            self._answer(200, self.profiles.all())
        else:
            self._about_one(self.profiles.get)

    def do_DELETE(self) -> None:
        self._about_one(self.profiles.delete)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if self.path == "/listTagsForResource":
                self._answer(200, self.profiles.tags(body["resourceARN"]))
            elif self.path == "/inference-profiles":
                self._answer(201, self.profiles.create(body))
            else:
                self._answer(400, {"message": f"{self.path} is not known here"}, "Validation")
        except RepeatedNameError as error:
            self._answer(409, {"message": str(error)}, "Conflict")
        except UnknownProfileError as error:
            self._answer(404, {"message": str(error)}, "ResourceNotFound")

    def _about_one(self, act: Any) -> None:
        identifier = unquote(urlsplit(self.path).path.removeprefix("/inference-profiles/"))
        try:
            self._answer(200, act(identifier))
        except UnknownProfileError as error:
            self._answer(404, {"message": str(error)}, "ResourceNotFound")

    def _answer(self, status: int, body: dict[str, Any], error: str | None = None) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if error:
            self.send_header("x-amzn-ErrorType", f"{error}Exception")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Say nothing: a test's output is the test's."""


@contextmanager
def serve(account_id: str, region: str) -> Iterator[str]:
    """Answer on loopback as long as the block runs; yields the address."""
    handler = type("Handler", (_Handler,), {"profiles": Profiles(account_id, region)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
