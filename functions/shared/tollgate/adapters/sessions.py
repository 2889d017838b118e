"""Sessions of tenants' roles: their credentials, and the clients that sign with them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import ClientError

from tollgate.adapters.aws import Credentials, reaching
from tollgate.domain.errors import UnavailableError
from tollgate.domain.sessions import Session, role_denied
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sts import STSClient

    from tollgate.ports import Clock

# The most that STS gives a role which is assumed by another role.
SESSION_SECONDS = 3600
# From here on a session is renewed. A renewal that fails is tried again later, while the
# credentials are good for a call that may still take minutes.
RENEWAL_TIME = timedelta(minutes=10)
LAST_USE_TIME = timedelta(minutes=5)
RETRY_TIME = timedelta(seconds=30)
# A client takes about 0.15 MB; beside this many, another tenant's first call costs one STS call.
MAX_SESSIONS = 128

Client = TypeVar("Client")


@dataclass(slots=True)
class _Entry:
    """One session; the lock keeps a slow STS call from holding up other tenants."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    credentials: Credentials | None = None
    renew_at: datetime = datetime.min.replace(tzinfo=UTC)
    unusable_at: datetime = datetime.min.replace(tzinfo=UTC)


class TenantSessions:
    """Credentials by session, renewed in time; the sessions used last are kept."""

    def __init__(
        self, connect: Callable[[], STSClient], clock: Clock, max_sessions: int = MAX_SESSIONS
    ) -> None:
        """`connect` makes the STS client, at the first session: most processes need none."""
        self._connect = connect
        self._clock = clock
        self._max_sessions = max_sessions
        self._client: STSClient | None = None
        self._lock = threading.Lock()
        self._entries: OrderedDict[Session, _Entry] = OrderedDict()

    def credentials(self, session: Session) -> Credentials:
        """Credentials that are good for five minutes at least.

        Raises ForbiddenError where STS refuses a silo's role, which its account decides about;
        UnavailableError for any other failure.
        """
        entry = self._entry(session)
        with entry.lock:
            now = self._clock()
            if now >= entry.renew_at:
                self._renew(session, entry, now)
            # A renewal that returned has left credentials.
            assert entry.credentials is not None  # noqa: S101
            return entry.credentials

    def _entry(self, session: Session) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(session, _Entry())
            self._entries.move_to_end(session)
            if len(self._entries) > self._max_sessions:
                self._entries.popitem(last=False)
            return entry

    def _renew(self, session: Session, entry: _Entry, now: datetime) -> None:
        try:
            entry.credentials, expires_at = self._assume(session)
        except UnavailableError:
            if now >= entry.unusable_at:
                raise
            logger.warning("session not renewed", extra={"tenant_id": session.tenant_id})
            entry.renew_at = min(now + RETRY_TIME, entry.unusable_at)
            return
        entry.renew_at = expires_at - RENEWAL_TIME
        entry.unusable_at = expires_at - LAST_USE_TIME

    def _assume(self, session: Session) -> tuple[Credentials, datetime]:
        tags = {"tenant": session.tenant_id}
        optional: dict[str, Any] = {}
        if session.app_id is not None:
            tags["app"] = session.app_id
        if session.external_id is not None:
            optional["ExternalId"] = session.external_id
        with reaching("security token service"):
            try:
                answer = self._sts().assume_role(
                    RoleArn=session.role_arn,
                    RoleSessionName=session.tenant_id,
                    DurationSeconds=SESSION_SECONDS,
                    Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                    **optional,
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                logger.error(
                    "role not assumed",
                    extra={
                        "tenant_id": session.tenant_id,
                        "role_arn": session.role_arn,
                        "error_code": code,
                    },
                )
                if code != "AccessDenied" or not session.is_silo:
                    raise
                raise role_denied(session.tenant_id) from error
        given = answer["Credentials"]
        made = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return made, given["Expiration"]

    def _sts(self) -> STSClient:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client


class SessionClients(Generic[Client]):
    """The clients of one service: the function's own, and one per session used lately."""

    def __init__(
        self,
        build: Callable[[Credentials | None], Client],
        sessions: TenantSessions,
        own: Client | None = None,
    ) -> None:
        """`build` makes a client that signs with these credentials, or with the function's.

        `own` is the function's own client where there is one already.
        """
        self._build = build
        self._sessions = sessions
        self._lock = threading.Lock()
        self._own = own
        self._clients: OrderedDict[Session, tuple[Credentials, Client]] = OrderedDict()

    def __call__(self, session: Session | None) -> Client:
        """The client of a session, or the function's own. Raises as `TenantSessions` does."""
        if session is None:
            return self._own_client()
        credentials = self._sessions.credentials(session)
        with self._lock:
            kept = self._clients.get(session)
            if kept is None or kept[0] is not credentials:
                kept = (credentials, self._build(credentials))
                self._clients[session] = kept
            self._clients.move_to_end(session)
            if len(self._clients) > MAX_SESSIONS:
                self._clients.popitem(last=False)
            return kept[1]

    def _own_client(self) -> Client:
        with self._lock:
            if self._own is None:
                self._own = self._build(None)
            return self._own
