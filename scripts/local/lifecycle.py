"""What the parts of the local stack have in common: each is started, used and stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Startable(ABC):
    """A part that runs while its `with` block does."""

    @abstractmethod
    def start(self) -> None:
        """Start the part and return once it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the part and remove what it left."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
