"""What a probe is, what comes of it, and how all of them are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.awscheck.gateway import Gateway

Verdict = Literal["as expected", "different", "failed", "not checked", "not emulated"]
"""`failed`: the probe itself did not get through. `not checked`: there is nothing to look at here.
`not emulated`: no emulator has it, so only AWS can tell."""
WRONG: frozenset[Verdict] = frozenset({"different", "failed"})

_MOST_SEEN = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe saw, in a few words, and whether that is what it expects."""

    is_expected: bool
    text: str


class NotChecked(Exception):  # noqa: N818 - it is no error
    """There is nothing here that the probe could look at; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to AWS. `not_emulated` says why an emulator has no answer; None where it has."""

    name: str
    expected: str
    run: Callable[[Gateway], Seen]
    not_emulated: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a probe."""

    probe: Probe
    verdict: Verdict
    seen: str


Run = Callable[["Gateway"], Seen]


def probe(
    to: list[Probe], name: str, expected: str, *, not_emulated: str | None = None
) -> Callable[[Run], Run]:
    """Add the function to a list of probes."""

    def add(run: Run) -> Run:
        to.append(Probe(name, expected, run, not_emulated))
        return run

    return add


def run_all(
    probes: Iterable[Probe], gateway: Gateway, *, is_emulated: bool = False
) -> Iterator[Outcome]:
    """What comes of each, as it comes. One that fails keeps no other from running."""
    for one in probes:
        if is_emulated and one.not_emulated is not None:
            yield Outcome(one, "not emulated", one.not_emulated)
            continue
        verdict, seen = _run(one, gateway)
        yield Outcome(one, verdict, gateway.redacted(seen)[:_MOST_SEEN])


def _run(one: Probe, gateway: Gateway) -> tuple[Verdict, str]:
    try:
        seen = one.run(gateway)
    except NotChecked as reason:
        return "not checked", str(reason)
    except ClientError as error:
        return "failed", f"{error.operation_name}: {error.response['Error'].get('Code')}"
    # What an answer lacks is told like what does not answer: neither is what was expected.
    except (BotoCoreError, HTTPException, OSError, LookupError, TypeError, ValueError) as error:
        return "failed", f"{type(error).__name__}: {error}"
    return ("as expected" if seen.is_expected else "different"), seen.text
