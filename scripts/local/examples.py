"""A command line for every route, made of the contract's own examples.

The lines use the variables TOLLGATE_URL, TOLLGATE_KEY and TOLLGATE_TEAM; those that start a job set
TOLLGATE_JOB, which the line after them polls.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.local import contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_METHODS = ("get", "post")
_JSON = "application/json"
# What the contract's examples leave to who runs them.
_VARIABLES = {"team_id": "$TOLLGATE_TEAM", "id": "$TOLLGATE_JOB"}
# Its frames are binary; what a person can read of them is their JSON.
_EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class Line:
    """A command line of an operation, and which of the contract's examples it sends, if any."""

    operation: str
    example: str | None
    title: str
    command: str


@dataclass(frozen=True)
class Mode:
    """A way to call an operation: an example's name, parameters that it needs, another body.

    `job` is the member of the answer that names the job which the call starts; `cut` says that only
    the answer's beginning is worth to be seen.
    """

    example: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    job: str | None = None
    cut: bool = False
    title: str = ""


# Operations that need more than their example: any example that is not named here goes as it is.
_MODES: Mapping[str, Sequence[Mode]] = {
    "invokeModel": (
        Mode("prompt"),
        Mode("chat", headers={"messages_api": "true"}),
        Mode(
            "embeddings",
            headers={"type": "embeddings"},
            query={"model_id": "amazon.titan-embed-text-v2:0"},
            cut=True,
        ),
        Mode(
            "image",
            headers={"type": "image"},
            query={"model_id": "amazon.nova-canvas-v1:0"},
            cut=True,
        ),
        Mode("prompt", headers={"streaming": "true"}, job="request_id", title="as a job"),
        Mode(body={}, query={"requestId": "$TOLLGATE_JOB", "cursor": "0"}, title="poll the job"),
    ),
    "createJob": (Mode(job="id"),),
    "createEmbeddings": (Mode(cut=True),),
    "getJob": (Mode(query={"cursor": "0", "wait": "20"}),),
}


def lines(
    document: Mapping[str, Any] | None = None, parameters: Mapping[str, str] | None = None
) -> Iterator[Line]:
    """Yield the command lines of every operation, in the contract's order.

    Args:
        document: the contract; that of modules/gateway unless given.
        parameters: values in place of the contract's examples, by parameter.
    """
    if document is None:
        document = contract.read()
    schemes = document["components"]["securitySchemes"]
    values = {**_VARIABLES, **(parameters or {})}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield from _operation_lines(path, method, item[method], schemes, values)


def _operation_lines(
    path: str,
    method: str,
    operation: Mapping[str, Any],
    schemes: Mapping[str, Any],
    values: Mapping[str, str],
) -> Iterator[Line]:
    name = operation["operationId"]
    bodies = _bodies(operation)
    modes = list(_MODES.get(name, ()))
    named = {mode.example for mode in modes if mode.body is None}
    modes += [Mode(example) for example in bodies if example not in named]
    for mode in modes or [Mode()]:
        url = _url(path, operation, mode, values)
        body = bodies.get(mode.example) if mode.body is None else mode.body
        words = [
            *("curl", "-sSN" if _is_streamed(operation, body) else "-sS", _quote(url)),
            *_headers(operation, mode, schemes, values),
        ]
        if body is not None:
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            words += ["-H", f"'content-type: {_JSON}'", "-d", _quote(text)]
        what = mode.title or (mode.example if len(modes) > 1 else None)
        title = f"{method.upper()} {path}{f' ({what})' if what else ''}: {operation['summary']}"
        yield Line(name, mode.example, title, _command(" ".join(words), operation, mode))


def _command(curl: str, operation: Mapping[str, Any], mode: Mode) -> str:
    """What a shell makes of the answer: text to read, or the id of a job."""
    if mode.job is not None:
        member = shlex.quote(f's/.*"{mode.job}": *"([^"]*)".*/\\1/p')
        return f'TOLLGATE_JOB=$({curl} | sed -nE {member}); echo "$TOLLGATE_JOB"'
    if _EVENT_STREAM in _answers(operation):
        return f"{curl} | tr -cd '[:print:]\\n'"
    return f"{curl} | cut -c 1-200" if mode.cut else curl


def _bodies(operation: Mapping[str, Any]) -> dict[str | None, Any]:
    """The examples of an operation's body by name; one without a name has None."""
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    if "example" in content:
        return {None: content["example"]}
    return {name: example["value"] for name, example in content.get("examples", {}).items()}


def _parameters(operation: Mapping[str, Any], place: str) -> dict[str, str]:
    """The parameters in a place that the contract has examples of."""
    return {
        parameter["name"]: str(parameter["example"])
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == place and "example" in parameter
    }


def _url(path: str, operation: Mapping[str, Any], mode: Mode, values: Mapping[str, str]) -> str:
    for name, example in _parameters(operation, "path").items():
        path = path.replace(f"{{{name}}}", values.get(name, example))
    query = _parameters(operation, "query") if mode.body is None else {}
    query = {**{name: values.get(name, example) for name, example in query.items()}, **mode.query}
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    return f"$TOLLGATE_URL{path}{f'?{pairs}' if pairs else ''}"


def _headers(
    operation: Mapping[str, Any],
    mode: Mode,
    schemes: Mapping[str, Any],
    values: Mapping[str, str],
) -> Iterator[str]:
    """The words of all headers but the body's; the key goes as the first scheme wants it."""
    [scheme, *_] = operation["security"][0]
    place = schemes[scheme]["name"]
    is_bearer = place.lower() == "authorization"
    headers = {place: f"{'Bearer ' if is_bearer else ''}$TOLLGATE_KEY"}
    for name, example in _parameters(operation, "header").items():
        headers[name] = values.get(name, example)
    for name, value in {**headers, **mode.headers}.items():
        yield from ("-H", _quote(f"{name}: {value}"))


def _answers(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content types of a good answer."""
    content: Mapping[str, Any] = operation["responses"].get("200", {}).get("content", {})
    return content


def _is_streamed(operation: Mapping[str, Any], body: object) -> bool:
    asked = isinstance(body, dict) and body.get("stream") is True
    return asked or _EVENT_STREAM in _answers(operation)


def _quote(text: str) -> str:
    """Quote a word for a shell, so that our own variables are still read."""
    return f'"{text}"' if "$TOLLGATE_" in text else shlex.quote(text)
