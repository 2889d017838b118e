"""What the services need from the outside. Adapters and the tests' fakes implement these.

Every method may raise `UnavailableError` when its dependency cannot be reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.idempotency import IdempotencyRecord
    from tollgate.domain.invocation_logs import LogSearch
    from tollgate.domain.jobs import Job, JobPart
    from tollgate.domain.ledger import Account, Hold, Layout, Scope, Windows
    from tollgate.domain.prices import TokenUsage
    from tollgate.domain.sessions import Session
    from tollgate.domain.tenants import BusinessUnit, KeyRecord, Tenant
    from tollgate.domain.usage import UsageRow


class Tenants(Protocol):
    """The tenants table."""

    def key(self, key_hash: str) -> KeyRecord | None:
        """The record of a key by the SHA-256 (hex) of the key."""

    def tenant(self, tenant_id: str) -> Tenant | None:
        """A tenant's policy as deployed."""

    def policy(self, tenant_id: str, now: datetime) -> Tenant | None:
        """A tenant's policy with the override that is in force now."""

    def business_unit(self, unit_id: str, now: datetime) -> BusinessUnit | None:
        """A business unit with the override of its budget that is in force now."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The hold is placed; `account` is the account after it."""

    account: Account


@dataclass(frozen=True, slots=True)
class Rejected:
    """The condition failed; `account` is what stood in the table, None where nothing did."""

    account: Account | None


@dataclass(frozen=True, slots=True)
class TokenRefund:
    """Tokens to give back to a minute, if it is still the account's current one."""

    minute: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An account that nobody can read, or a hold of one; `request_id` is None for all of it."""

    account_id: str
    request_id: str | None
    reason: str


class Accounts(Protocol):
    """The accounts table. Each method is one atomic step."""

    def admit(self, scope: Scope, hold: Hold, windows: Windows) -> Admitted | Rejected:
        """Place the hold if the windows are the account's and it fits every limit of the scope.

        The hold that the account then has names the minute. A frozen account rejects every hold;
        a soft budget is no limit.
        """

    def create(self, account: Account) -> bool:
        """Write a new account; False when there is one already."""

    def replace(self, before: Account, after: Account) -> bool:
        """Write the windows of `after` if the account still is at `before`'s revision."""

    def settle(
        self, account_id: str, hold: Hold, spent: int, refund: TokenRefund | None
    ) -> Account | None:
        """End the hold and book `spent` picodollars; None when the hold is already gone.

        A hold of another size is one of another try of the request, and stays.
        """

    def withdraw(self, account_id: str, hold: Hold) -> None:
        """End the hold, if it is there in its size, of a request that is not made after all.

        What it took is given back whole: its money, and its request and tokens where the minute
        and the day that they were counted in (`hold.minute`) are still the account's.
        """

    def extend(self, account_id: str, request_id: str, expires_at: int) -> bool:
        """Move a hold's expiry; False when the hold is gone."""

    def freeze(self, account_id: str) -> Account | None:
        """Make an account admit nothing any more; returns it, None where nothing stands."""

    def lay_out(self, account_id: str, before: int, layout: Layout) -> bool:
        """Write a scope's layout into its frozen first account.

        False when the layout that stands is not of generation `before` any more.
        """

    def get(self, account_id: str) -> Account | None:
        """One account, read consistently."""

    def scan(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Account]:
        """All accounts.

        What cannot be read is told to `unreadable`, and the others go on without it. Without that
        it raises for an account; a hold is left out, as it is of every answer.
        """


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A usage row that nobody can read: its sort key, the item in DynamoDB's JSON, and why."""

    row_id: str
    item: str
    reason: str


class Usage(Protocol):
    """The usage table: one row per request, never changed."""

    def put(self, row: UsageRow) -> UsageRow:
        """Write the row unless the request has one; returns the row that now stands."""

    def get(self, request_id: str) -> UsageRow | None:
        """The row of a request, read consistently."""


Operation = Literal["converse", "invoke_model", "invoke_endpoint"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A call of the model service, ready to send.

    `model_id` is what the service calls it by, for an endpoint its name. `body` is a Converse
    request with media as bytes, a native body, or what an endpoint's container reads. `settings`
    are what a native call says in headers: `guardrailIdentifier`, `guardrailVersion` and
    `serviceTier`. `session` is whose role makes the call, None the function's own; `component` is
    an endpoint's inference component. `base_model_id` is the model behind `model_id`, whose family
    says how its answers count.
    """

    operation: Operation
    model_id: str
    body: Any
    metadata: Mapping[str, str]
    session: Session | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    component: str | None = None
    base_model_id: str = ""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The answer of a call.

    `document` is the service's own: a Converse response or a native body; of a native stream, an
    object with its joined `text`. `usage` is None where the service does not tell. `units` counts
    what is billed beyond tokens and is known from the answer alone. `headers` are those of the
    service that callers read. All text is valid Unicode.

    `fault` says what of the answer cannot be read, None where all can be: such a call is settled by
    its usage like any other, and its caller gets an error.
    """

    document: Any
    usage: TokenUsage | None
    stop_reason: str | None = None
    service_tier: str = "default"
    units: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class StreamPiece:
    """One event of a stream as the service sent it, its text, and the bytes of all its output.

    The event is empty where nothing is to be handed on.
    """

    event: Mapping[str, Any]
    text: str = ""
    size: int = 0


class ModelRuntime(Protocol):
    """The model service. Raises the upstream errors of `tollgate.domain.errors`."""

    def call(self, request: ModelRequest) -> ModelReply:
        """One buffered call."""

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """One streamed call. Ends with its reply; StreamBrokenError where it ended without.

        What the service refuses is raised before the first piece.
        """

    def prepare(self, request: ModelRequest) -> None:
        """Get what the call is signed with, and send nothing.

        Raises ForbiddenError where a tenant's account refuses its role.
        """


class InvocationLogs(Protocol):
    """The model service's own log of the calls it served."""

    def find(self, requests: Mapping[str, datetime]) -> LogSearch:
        """Look for the records of requests; the values are when the last can have come."""


class TokenCounter(Protocol):
    """Counts input before a call. Raises nothing: no call fails because it is not counted."""

    def count(
        self, model_id: str, body: Mapping[str, Any], session: Session | None = None
    ) -> int | None:
        """The input tokens that a Converse body of a base model id is charged for.

        None where the model cannot count, or nobody can say now.
        """


@dataclass(frozen=True, slots=True)
class CountRequest:
    """Input to count: what CountTokens takes for a base model id."""

    model_id: str
    given: Mapping[str, Any]
    session: Session | None = None


class InputCounter(Protocol):
    """Counts input for who asks to know. Raises the upstream errors."""

    def input_tokens(self, request: CountRequest) -> int:
        """The input tokens that the request is charged for."""


class ModelCatalogue(Protocol):
    """What the model service offers in this region."""

    def foundation_models(self) -> Sequence[Mapping[str, Any]]:
        """Summaries in the shape of Bedrock's ListFoundationModels."""

    def inference_profiles(self) -> Sequence[Mapping[str, Any]]:
        """System-defined profiles in the shape of Bedrock's ListInferenceProfiles."""


class Jobs(Protocol):
    """The streaming table. A job is found under its own tenant's id only."""

    def create(self, job: Job) -> None:
        """Write a new job."""

    def get(self, tenant_id: str, job_id: str) -> Job | None:
        """One job, read consistently."""

    def claim(
        self, tenant_id: str, job_id: str, now: datetime, deadline: int, claim_id: str
    ) -> Job | None:
        """Take a queued job whose deadline has not passed; None when it is not to be had.

        A claim under the same id takes it again: the answer of the first one may have been lost.
        """

    def abandon(self, tenant_id: str, job_id: str) -> bool:
        """Fail a job that is still queued, so that no producer takes it; False if it was not."""

    def finish(self, ended: Job) -> None:
        """Write the end of a job unless it is finished."""


class JobTexts(Protocol):
    """What jobs have answered so far, under the tenant's own key where it has one."""

    def append(self, job: Job, index: int, text: str, part: JobPart = "text") -> None:
        """Write chunk number `index` of a part, to be read while the job can be."""

    def chunks(self, job: Job, cursor: int, part: JobPart = "text") -> Sequence[str]:
        """The texts of a part from chunk `cursor` on, in order, read consistently."""


class FreeCounters(Protocol):
    """What each tenant asks for that calls no model. Each method is one atomic step."""

    def take(self, tenant_id: str, kind: str, minute: str, amount: int, limit: int) -> bool:
        """Count so many more of a kind in a minute, if that keeps within the limit."""

    def enter(self, tenant_id: str, name: str, now: int, until: int, most: int) -> bool:
        """Begin to wait under a name (epoch seconds), unless it or `most` others wait already."""

    def leave(self, tenant_id: str, name: str, until: int) -> None:
        """End a wait before its time."""


class IdempotencyRecords(Protocol):
    """The first requests under idempotency keys. Each method is one atomic step."""

    def claim(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        """Write the record unless another is in force; returns that one, None when ours stands."""

    def finish(self, record: IdempotencyRecord) -> bool:
        """Write the end of the request that still runs; False when the record is not its own."""

    def release(self, record: IdempotencyRecord) -> None:
        """Delete the record of the request that still runs, and no other's."""


class Payloads(Protocol):
    """Encrypted storage of job requests and of answers that may be repeated."""

    def put(self, tenant_id: str, key: str, document: bytes, kms_key_arn: str | None) -> None:
        """Store a document under the tenant's own key, else the deployment's."""

    def get(self, tenant_id: str, key: str) -> bytes | None:
        """Read a document; None when it does not exist."""

    def delete(self, tenant_id: str, key: str) -> None:
        """Delete a document if it exists."""


class JobQueue(Protocol):
    """The queue between submission and the producer."""

    def send(self, tenant_id: str, job_id: str) -> None:
        """Queue a job; tenants are served fairly."""

    def retry(self, receipt: str, seconds: int) -> None:
        """Let the message that was received under a receipt come again after so many seconds."""


class Clock(Protocol):
    """The current time."""

    def __call__(self) -> datetime:
        """Now, in UTC."""
