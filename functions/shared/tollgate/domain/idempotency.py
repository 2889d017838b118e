"""Which requests repeat an earlier one, and the record of how far that one came."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

IdempotencyStatus = Literal["running", "done", "unknown"]

# How long a first answer is repeated.
REPLAY_SECONDS = 86_400
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The first request under a key. `lease` and `expires_at` are epoch seconds.

    Until `lease` the first request may still be at work (`running`), or its answer was lost and
    nobody knows whether the provider bills it (`unknown`); after it the key is free again. A
    `done` one has its answer at `payload_key` until `expires_at`.
    """

    tenant_id: str
    record_id: str
    body_hash: str
    request_id: str
    status: IdempotencyStatus
    lease: int
    expires_at: int
    payload_key: str | None = None

    def is_in_force(self, now: int) -> bool:
        """Whether it keeps others from using the key."""
        ends = self.expires_at if self.status == "done" else min(self.lease, self.expires_at)
        return ends >= now


def is_valid_key(key: str) -> bool:
    """1 to 255 printable ASCII characters."""
    return 1 <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()


def record_id(tenant_id: str, app_id: str, key: str) -> str:
    """Where a key's record is kept: it tells nothing of the key, and each app has its own."""
    return hashlib.sha256(_secret(tenant_id, app_id, key)).hexdigest()


def body_hash(
    tenant_id: str, app_id: str, key: str, *, parts: Mapping[str, object], body: bytes
) -> str:
    """What two requests must have in common to be the same one.

    `parts` is all that decides about the answer beside the body. The key itself goes in, so that
    who reads the record cannot find a prompt by trying hashes.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    mac = hmac.new(_secret(tenant_id, app_id, key), digestmod=hashlib.sha256)
    mac.update(len(canonical).to_bytes(8, "big"))
    mac.update(canonical)
    mac.update(body)
    return mac.hexdigest()


def _secret(tenant_id: str, app_id: str, key: str) -> bytes:
    # Neither tenant nor app ids have a slash, so the three cannot be confused.
    return f"{tenant_id}/{app_id}/{key}".encode()
