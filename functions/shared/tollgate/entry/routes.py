"""The routes of the HTTP contract: whose API each is of, and where it takes its key."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate.entry.route_table import ROWS

AUTHORIZATION = "Authorization"
# The resources of API Gateway that catch what no route takes.
UNROUTED = frozenset(("/", "/{proxy+}"))


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the contract.

    `path` is a template like `/v1/jobs/{id}`, `api` the contract's tag, such as `OpenAI`, and
    `key_headers` names the headers that may have the key; the first that is there is read.
    """

    method: str
    path: str
    api: str
    key_headers: tuple[str, ...]

    @property
    def segments(self) -> tuple[str, ...]:
        """The path between its slashes."""
        return tuple(self.path.strip("/").split("/"))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = tuple(Route(*row) for row in ROWS)
_APIS = {route.path: route.api for route in ROUTES}
_KEY_HEADERS = {route.path: route.key_headers for route in ROUTES}
_ALL_KEY_HEADERS = tuple(dict.fromkeys(name for route in ROUTES for name in route.key_headers))


def key_headers(resource: str) -> tuple[str, ...]:
    """The headers that a resource of the REST API takes its key in: any, where it is no route."""
    return _KEY_HEADERS.get(resource, _ALL_KEY_HEADERS)


def api_of(resource: str) -> str:
    """The API of a route's resource."""
    return _APIS[resource]


def is_parameter(segment: str) -> bool:
    """Whether a segment of a template stands for any value."""
    return segment.startswith("{")
