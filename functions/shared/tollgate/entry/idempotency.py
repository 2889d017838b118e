"""The header `Idempotency-Key`: a request that comes again gets the first one's answer."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tollgate.domain.errors import (
    ConflictError,
    InvalidRequestError,
    MismatchError,
    TollgateError,
    UnavailableError,
)
from tollgate.domain.idempotency import (
    MAX_KEY_LENGTH,
    REPLAY_SECONDS,
    IdempotencyRecord,
    body_hash,
    is_valid_key,
    record_id,
)
from tollgate.domain.ids import new_request_id
from tollgate.entry.http import StreamedResponse
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.custody import Custody
    from tollgate.entry.http import Request, Response
    from tollgate.ports import Clock, IdempotencyRecords, Payloads
    from tollgate.services.free_work import FreeWork
    from tollgate.services.policy import Policies

Result = TypeVar("Result")

HEADER = "idempotency-key"
REPLAYED = "x-tollgate-replayed"
# Below the 29 seconds that API Gateway waits for an answer.
WAIT_SECONDS = 20.0
_RETRY_AFTER_SECONDS = 5
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_PAUSE_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The answer to a first request, and how its tenant's texts are kept."""

    response: Response
    custody: Custody


@dataclass(frozen=True, slots=True)
class FirstStream:
    """The streamed answer to a first request, whose status is 200.

    `produce` writes the body and returns the failure that the body tells of, None where it is
    whole.
    """

    headers: Mapping[str, str]
    produce: Callable[[Callable[[bytes], None]], TollgateError | None]
    custody: Custody
    keep_alive: bytes = b""

    def response(self, produce: Callable[[Callable[[bytes], None]], object]) -> StreamedResponse:
        """The answer with the body of `produce`."""

        def write_all(write: Callable[[bytes], None]) -> None:
            produce(write)

        return StreamedResponse(200, self.headers, write_all, self.keep_alive)


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request as its key's record sees it."""

    tenant_id: str
    record_id: str
    body_hash: str
    lease_seconds: int

    def record(self, now: datetime) -> IdempotencyRecord:
        """A record of a first request that starts now, under an id of its own."""
        seconds = int(now.timestamp())
        return IdempotencyRecord(
            tenant_id=self.tenant_id,
            record_id=self.record_id,
            body_hash=self.body_hash,
            request_id=new_request_id(now),
            status="running",
            lease=seconds + self.lease_seconds,
            expires_at=seconds + REPLAY_SECONDS,
        )


class Idempotency:
    """Lets one of several equal requests through and gives its answer to all.

    A request that waits for the first one's answer does so for `wait_seconds`.
    """

    def __init__(  # noqa: PLR0913 - what a repeat rests on
        self,
        records: IdempotencyRecords,
        payloads: Payloads,
        policies: Policies,
        free_work: FreeWork,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._records = records
        self._payloads = payloads
        self._policies = policies
        self._free_work = free_work
        self._clock = clock
        self._sleep = sleep
        self._wait_seconds = wait_seconds

    def once(
        self,
        request: Request,
        respond: Callable[[str], FirstAnswer],
        *,
        headers: Sequence[str],
        lease_seconds: int,
    ) -> Response:
        """The answer of `respond`, or of the first request under the same key.

        It is repeated for as long as the tenant's texts can be read.

        `respond` gets the id that its call has in the ledger. `headers` are those that decide
        about the answer. `lease_seconds` is how long a request whose process died keeps its key,
        which is as long as its hold.

        Raises what `respond` raises; ForbiddenError for a tenant or app that is not active, before
        an earlier answer is repeated; InvalidRequestError for a bad key, MismatchError where the
        key came with another request, ConflictError while the first answer is not there,
        RateExceededError for too many repeats, and UnavailableError, before anything was called,
        where the key cannot be recorded.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return respond(new_request_id(self._clock())).response
        standing, ours = self._claim(self._ask(request, key, headers, lease_seconds))
        if not ours:
            return self._replay(standing)
        first = self._attempt(standing, respond)
        self._store(standing, first)
        return first.response

    def once_streamed(
        self,
        request: Request,
        respond: Callable[[str], FirstStream],
        *,
        headers: Sequence[str],
        lease_seconds: int,
    ) -> StreamedResponse | Response:
        """The same for an answer that is streamed: what was written is kept, and repeated at once.

        An answer whose body tells of a failure is not repeated. Its key is free again where that
        cost nothing.
        """
        key = request.headers.get(HEADER)
        if key is None:
            first = respond(new_request_id(self._clock()))
            return first.response(first.produce)
        standing, ours = self._claim(self._ask(request, key, headers, lease_seconds))
        if not ours:
            return self._replay(standing)
        first = self._attempt(standing, respond)
        return first.response(partial(self._produce, standing, first))

    def _ask(self, request: Request, key: str, headers: Sequence[str], lease_seconds: int) -> _Ask:
        self._policies.party(request.caller)
        return _ask(request, key, headers, lease_seconds)

    def _claim(self, ask: _Ask) -> tuple[IdempotencyRecord, bool]:
        """Our own record, or the one of a request that was answered; and whether it is ours.

        One request a key waits for the first one's answer, and so many of a tenant as it may have
        wait: a wait holds the function, and no account counts it.
        """
        found, ours = self._look(ask)
        if ours:
            return found, True
        self._free_work.poll(ask.tenant_id)
        if found.status == "done":
            return found, False
        with self._free_work.waiting(
            ask.tenant_id, f"key/{ask.record_id}", self._wait_seconds
        ) as may_wait:
            if may_wait:
                found, ours = self._wait(ask)
        if not ours and found.status == "running":
            raise ConflictError(
                "the first request with this Idempotency-Key is still running; "
                "send it again for its answer",
                code="idempotency_in_progress",
                details={"first_request_id": found.request_id},
                retry_after=_RETRY_AFTER_SECONDS,
            )
        return found, ours

    def _wait(self, ask: _Ask) -> tuple[IdempotencyRecord, bool]:
        """The same after a wait, which ends with the first request or after a time."""
        deadline = self._clock() + timedelta(seconds=self._wait_seconds)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            found, ours = self._look(ask)
            if ours or found.status == "done" or self._clock() >= deadline:
                return found, ours
            self._sleep(pause)
            pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)

    def _look(self, ask: _Ask) -> tuple[IdempotencyRecord, bool]:
        """The record that stands now, `running` or `done`; whether it is ours, made just now."""
        now = self._clock()
        ours = ask.record(now)
        standing = self._try_claim(ours, now)
        if standing is None:
            return ours, True
        if standing.body_hash != ask.body_hash:
            raise MismatchError(
                "this Idempotency-Key was used with another request; "
                "send the same request again, or a new key"
            )
        if standing.status == "unknown":
            raise _unknown(standing, now)
        return standing, False

    def _try_claim(self, ours: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        try:
            return self._records.claim(ours, now)
        except UnavailableError:
            # The write may have arrived although its answer did not.
            self._release(ours)
            raise

    def _attempt(self, record: IdempotencyRecord, respond: Callable[[str], Result]) -> Result:
        try:
            return respond(record.request_id)
        except TollgateError as error:
            self._fail(record, error)
            raise
        except Exception:
            self._finish(replace(record, status="unknown"))
            raise

    def _produce(
        self, record: IdempotencyRecord, first: FirstStream, write: Callable[[bytes], None]
    ) -> None:
        pieces: list[bytes] = []

        def keep(piece: bytes) -> None:
            pieces.append(piece)
            write(piece)

        failure = self._attempt(record, lambda _: first.produce(keep))
        if failure is not None:
            self._fail(record, failure)
            return
        response = {
            "statusCode": 200,
            "headers": dict(first.headers),
            "body": base64.b64encode(b"".join(pieces)).decode(),
            "isBase64Encoded": True,
        }
        self._store(record, FirstAnswer(response, first.custody))

    def _fail(self, record: IdempotencyRecord, error: TollgateError) -> None:
        if error.may_be_billed:
            self._finish(replace(record, status="unknown"))
        else:
            self._release(record)

    def _store(self, record: IdempotencyRecord, answer: FirstAnswer) -> None:
        """Keep the answer. It is paid for, so it reaches its caller whatever happens here."""
        payload_key = f"idempotency/{record.tenant_id}/{record.request_id}.json"
        try:
            self._payloads.put(
                record.tenant_id,
                payload_key,
                json.dumps(answer.response, ensure_ascii=False).encode(),
                answer.custody.kms_key_arn,
            )
        except Exception as error:  # noqa: BLE001 - as above
            _log_failure("answer not stored", record, error)
            self._finish(replace(record, status="unknown"))
            return
        expires_at = int(self._clock().timestamp()) + answer.custody.seconds
        self._finish(replace(record, status="done", payload_key=payload_key, expires_at=expires_at))

    def _replay(self, record: IdempotencyRecord) -> Response:
        key = record.payload_key
        document = None if key is None else self._payloads.get(record.tenant_id, key)
        if document is None:
            raise _unknown(replace(record, lease=record.expires_at), self._clock())
        logger.info("answer replayed", extra={"request_id": record.request_id})
        response: dict[str, Any] = json.loads(document)
        return {**response, "headers": {**response["headers"], REPLAYED: "true"}}

    def _finish(self, record: IdempotencyRecord) -> None:
        try:
            if not self._records.finish(record):
                logger.error("key lost", extra={"request_id": record.request_id})
        except Exception as error:  # noqa: BLE001 - the answer, or its failure, stands already
            _log_failure("key not finished", record, error)

    def _release(self, record: IdempotencyRecord) -> None:
        try:
            self._records.release(record)
        except UnavailableError as error:
            # It stays until its lease ends.
            _log_failure("key not released", record, error)


def _ask(request: Request, key: str, headers: Sequence[str], lease_seconds: int) -> _Ask:
    if not is_valid_key(key):
        # Never quoted: whoever has another's key could ask for the answer.
        raise InvalidRequestError(
            f"the header Idempotency-Key has {len(key)} characters; "
            f"allowed are 1 to {MAX_KEY_LENGTH} printable ASCII characters"
        )
    identity = (request.caller.tenant_id, request.caller.app_id, key)
    parts: dict[str, object] = {
        "route": request.route,
        "query": dict(request.query),
        "headers": {name: request.headers.get(name) for name in headers},
        # Only where there are any: keys of routes without them keep their hashes.
        **({"path": dict(request.path)} if request.path else {}),
    }
    return _Ask(
        tenant_id=request.caller.tenant_id,
        record_id=record_id(*identity),
        body_hash=body_hash(*identity, parts=parts, body=request.body),
        lease_seconds=lease_seconds,
    )


def _unknown(record: IdempotencyRecord, now: datetime) -> ConflictError:
    return ConflictError(
        "the first request with this Idempotency-Key may have been charged, but its answer is "
        "not available; a new key calls the model again now, this one after Retry-After seconds",
        code="idempotency_unknown",
        details={"first_request_id": record.request_id},
        retry_after=max(record.lease - int(now.timestamp()) + 1, 1),
    )


def _log_failure(message: str, record: IdempotencyRecord, error: Exception) -> None:
    extra: dict[str, object] = {"request_id": record.request_id}
    if isinstance(error, UnavailableError):
        logger.error(message, extra={**extra, "dependency": error.details})
    else:
        logger.error(message, exc_info=error, extra=extra)
