"""The usage row: one line per request, defined here and nowhere else.

Names, order and types are the columns of the lake and of the Glue table, which tests compare.
Costs are picodollars; prompts, completions and keys never enter a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tollgate.domain.models import Routing

SCHEMA_VERSION = 1

# What the columns hold: the lake's integers have 64 bits, and a whole row is an item of 400 KB at
# most, whatever its characters take.
MAX_INTEGER = 2**63 - 1
MAX_TEXT = 2048
MAX_TAGS = 128
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256
_MAX_INT = 2**31 - 1

Status = Literal["ok", "error", "aborted", "orphaned"]
# By whom a call's tokens and cost were found: the provider counted them; they are estimated of what
# came; nobody knows, and the hold was booked; the provider counted more than can be, and the bound
# was booked.
UsageSource = Literal["provider", "estimated", "hold", "bound"]

_INT = {"glue_type": "int"}
_BIGINT = {"glue_type": "bigint"}
_STRING = {"glue_type": "string"}
_BOOLEAN = {"glue_type": "boolean"}
_TIMESTAMP = {"glue_type": "timestamp"}
_STRING_MAP = {"glue_type": "map<string,string>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One request as it was metered.

    Times are UTC-aware, `*_ms` milliseconds, `*_tokens` counts, `*_cost` and `held` picodollars.
    `business_unit` is the one that the tenant belonged to, `account_id` the AWS account in which
    the model ran, `end_user` what the client says of whom it calls for.
    Raises ValueError for a naive time, and for what a column does not hold; `fitted` makes one that
    holds it.
    """

    schema_version: int = field(default=SCHEMA_VERSION, metadata=_INT)
    request_id: str = field(metadata=_STRING)
    tenant_id: str = field(metadata=_STRING)
    app_id: str = field(metadata=_STRING)
    key_id: str = field(metadata=_STRING)
    cost_center: str = field(metadata=_STRING)
    tier: str = field(metadata=_STRING)
    region: str = field(metadata=_STRING)
    dialect: str = field(metadata=_STRING)
    operation: str = field(metadata=_STRING)
    requested_model: str = field(metadata=_STRING)
    model_id: str = field(metadata=_STRING)
    routing: Routing = field(metadata=_STRING)
    inference_profile_arn: str | None = field(default=None, metadata=_STRING)
    service_tier: str = field(metadata=_STRING)
    streamed: bool = field(metadata=_BOOLEAN)
    status: Status = field(metadata=_STRING)
    http_status: int = field(metadata=_INT)
    error_code: str | None = field(default=None, metadata=_STRING)
    stop_reason: str | None = field(default=None, metadata=_STRING)
    started_at: datetime = field(metadata=_TIMESTAMP)
    settled_at: datetime = field(metadata=_TIMESTAMP)
    latency_ms: int = field(metadata=_BIGINT)
    first_token_ms: int | None = field(default=None, metadata=_BIGINT)
    input_tokens: int = field(metadata=_BIGINT)
    output_tokens: int = field(metadata=_BIGINT)
    cache_read_tokens: int = field(metadata=_BIGINT)
    cache_write_5m_tokens: int = field(metadata=_BIGINT)
    cache_write_1h_tokens: int = field(metadata=_BIGINT)
    images: int = field(metadata=_BIGINT)
    usage_source: UsageSource = field(metadata=_STRING)
    priced: bool = field(metadata=_BOOLEAN)
    price_version: str = field(metadata=_STRING)
    input_cost: int = field(metadata=_BIGINT)
    output_cost: int = field(metadata=_BIGINT)
    cache_cost: int = field(metadata=_BIGINT)
    other_cost: int = field(metadata=_BIGINT)
    total_cost: int = field(metadata=_BIGINT)
    held: int = field(metadata=_BIGINT)
    tags: Mapping[str, str] = field(metadata=_STRING_MAP)
    # Rows from before these columns have none of them.
    business_unit: str | None = field(default=None, metadata=_STRING)
    account_id: str | None = field(default=None, metadata=_STRING)
    end_user: str | None = field(default=None, metadata=_STRING)

    def __post_init__(self) -> None:
        """Refuse what could not be written, and times without a zone, which are of no hour."""
        for name in ("started_at", "settled_at"):
            if getattr(self, name).tzinfo is None:
                raise ValueError(f"{name} of usage row {self.request_id[:64]} has no time zone")
        for name, glue_type in GLUE_COLUMNS:
            value = getattr(self, name)
            if value is not None and _FITS[glue_type](value) != value:
                raise ValueError(
                    f"{name} of usage row {self.request_id[:64]} is beyond its column's bounds"
                )

    @classmethod
    def fitted(cls, **values: Any) -> UsageRow:  # noqa: ANN401 - columns by name
        """The row of a call that has ended: what a column does not hold is cut, never lost."""
        types = dict(GLUE_COLUMNS)
        fitted: dict[str, Any] = {
            name: value if value is None else _FITS[types[name]](value)
            for name, value in values.items()
        }
        return cls(**fitted)


# A dialect is named after who speaks it and what is done; chats are converse calls.
_OPERATIONS = {
    "chat": ("converse", "converse_stream"),
    "endpoint": ("invoke_endpoint", "invoke_endpoint_with_response_stream"),
}
_NATIVE_OPERATIONS = ("invoke_model", "invoke_model_with_response_stream")


def operation_of(dialect: str, *, streamed: bool) -> str:
    """The model service's operation behind a call of a dialect."""
    operations = _OPERATIONS.get(dialect.rpartition(".")[2], _NATIVE_OPERATIONS)
    return operations[streamed]


# Who speaks these gets streamed answers by polling a job; all others on the open connection.
_POLLING = ("legacy", "jobs")


def runs_as_job(dialect: str, *, streamed: bool) -> bool:
    """Whether a call of a dialect is run by a job, not by the function that admitted it."""
    return streamed and dialect.partition(".")[0] in _POLLING


def is_endpoint_call(dialect: str) -> bool:
    """Whether a dialect's calls go to SageMaker, of which Bedrock's logs know nothing."""
    return dialect.endswith(".endpoint")


GLUE_COLUMNS: list[tuple[str, str]] = [
    (column.name, column.metadata["glue_type"]) for column in fields(UsageRow)
]


def to_json_row(row: UsageRow) -> dict[str, Any]:
    """Return every column in order as plain JSON values; absent values are None."""
    return {name: _plain(getattr(row, name)) for name, _ in GLUE_COLUMNS}


def to_item(row: UsageRow) -> dict[str, Any]:
    """Return the row as table attributes (str, int, bool, map); absent values are left out."""
    return {name: value for name, value in to_json_row(row).items() if value is not None}


def from_item(item: Mapping[str, Any]) -> UsageRow:
    """Read a row back from table attributes; numbers may be Decimal, other attributes are ignored.

    Raises ValueError naming the request when the item is of another schema version or incomplete.
    """
    request_id = item.get("request_id")
    if item.get("schema_version") != SCHEMA_VERSION:
        given = item.get("schema_version")
        raise ValueError(f"usage row {request_id} has schema_version {given}, not {SCHEMA_VERSION}")
    values = {
        name: _read(request_id, name, glue_type, item[name])
        for name, glue_type in GLUE_COLUMNS
        if item.get(name) is not None
    }
    try:
        return UsageRow(**values)
    except TypeError as error:
        raise ValueError(f"usage row {request_id} is incomplete: {error}") from error


def _read(request_id: object, name: str, glue_type: str, value: object) -> Any:  # noqa: ANN401
    try:
        return _READERS[glue_type](value)
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{name} of usage row {request_id} is not of type {glue_type}") from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return f"{utc.isoformat(timespec='microseconds')}Z"
    return dict(value) if isinstance(value, Mapping) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_READERS: dict[str, Any] = {
    "int": int,
    "bigint": int,
    "string": _text,
    "boolean": bool,
    "timestamp": datetime.fromisoformat,
    "map<string,string>": lambda value: {_text(key): _text(item) for key, item in value.items()},
}


def _fitted_text(value: str, most: int = MAX_TEXT) -> str:
    """The text without half of a character, which no table takes, and not longer than it may be."""
    return value[:most].encode(errors="replace").decode()


def _fitted_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    return {
        _fitted_text(key, MAX_TAG_KEY): _fitted_text(value, MAX_TAG_VALUE)
        for key, value in list(tags.items())[:MAX_TAGS]
    }


def _within(value: int, most: int) -> int:
    return max(-most - 1, min(value, most))


_FITS: dict[str, Any] = {
    "int": lambda value: _within(value, _MAX_INT),
    "bigint": lambda value: _within(value, MAX_INTEGER),
    "string": _fitted_text,
    "boolean": lambda value: value,
    "timestamp": lambda value: value,
    "map<string,string>": _fitted_tags,
}
