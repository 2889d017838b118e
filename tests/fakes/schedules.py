"""Concurrent work in an order that a test decides, with crashes and lost answers where it wants.

Each actor is a thread of its own, but only one thread runs at a time: an actor stops before every
call of a port and goes on when it is told to. Between two such calls nothing is shared, so these
are all the orders that there are.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from tollgate.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

# go: make the call. crash: the process ends before or after the call. lose: the call fails, and
# its caller cannot tell whether it was made (after) or not (before). repeat: the answer is lost
# and the SDK makes the call again.
Command = Literal["go", "crash before", "crash after", "lose before", "lose after", "repeat"]
DISTURBANCES: tuple[Command, ...] = (
    "crash before",
    "crash after",
    "lose before",
    "lose after",
    "repeat",
)


class Crash(BaseException):
    """The end of a process: nothing of it runs any more, no `except` and no `finally`."""


class Actor:
    """Work that stops before every call of a port."""

    _of_thread = threading.local()

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._stopped: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None
        self.is_done = False
        threading.Thread(target=self._run, daemon=True).start()
        self._wait()

    @classmethod
    def await_turn(cls) -> Command:
        """Called by the ports, in the actor's thread."""
        actor: Actor = cls._of_thread.actor
        actor._stopped.put(None)  # noqa: SLF001 - the actor's own thread
        return actor._commands.get()  # noqa: SLF001

    def step(self, command: Command = "go") -> None:
        """Let the actor make its next call and run on to the one after it."""
        self._commands.put(command)
        self._wait()

    def _wait(self) -> None:
        self._stopped.get()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        self._of_thread.actor = self
        try:
            self._work()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the test runs
            self._error = error
        self.is_done = True
        self._stopped.put(None)


class Stepping:
    """Any port, its methods called in the actors' turns; those in `once` are never repeated."""

    def __init__(
        self,
        port: Any,
        seen: Callable[[str, tuple[Any, ...], Any], None],
        once: frozenset[str] = frozenset({"scan"}),
    ) -> None:
        self._port = port
        self._seen = seen
        self._once = once

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*arguments: Any) -> Any:
            command = Actor.await_turn()
            if command == "crash before":
                raise Crash
            if command == "lose before":
                raise UnavailableError("not reached")
            result = method(*arguments)
            if name == "scan":
                result = list(result)
            self._seen(name, arguments, result)
            if command == "repeat" and name not in self._once:
                result = method(*arguments)
                self._seen(name, arguments, result)
            if command == "crash after":
                raise Crash
            if command == "lose after":
                raise UnavailableError("answer lost")
            return result

        return call
