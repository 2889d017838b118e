"""Run MiniStack until it is told to stop or the process that started it is gone.

`scripts.local.ministack` starts this file with MiniStack's own interpreter, which has nothing of
this repository on its path: only the standard library and `ministack` may be imported here.
Standard input is a pipe whose other end the parent holds and never writes to. It reaches its end
when the parent closes it or dies in any way, SIGKILL included.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading
import time

GRACE_SECONDS = 3


def exit_with_parent() -> None:
    """Wait for the end of standard input, then stop this process, by force if need be."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Serve; returns when MiniStack was stopped."""
    threading.Thread(target=exit_with_parent, daemon=True).start()
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
