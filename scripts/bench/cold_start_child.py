"""Import one unpacked function and compose it; say what each step took.

`scripts.bench.imports` starts this file with `-I -S`, so that nothing but the standard library and
the function's own zip can be imported: `cold_start_child.py <folder> <function>`. Prints one JSON
object: processor milliseconds and the highest memory so far, in MiB, after each step.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

BOTO3 = ("boto3", "boto3.dynamodb.types", "botocore.config", "botocore.exceptions")
POWERTOOLS = ("aws_lambda_powertools",)
STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """The most memory this process has had; 0 where the system does not say."""
    if not STATUS.is_file():
        return 0.0
    for line in STATUS.read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Take the steps of a cold start in their order."""
    folder, name = sys.argv[1], sys.argv[2]
    steps: dict[str, tuple[float, float]] = {}

    def done(step: str) -> None:
        steps[step] = (time.process_time() * 1000, peak_mib())

    done("interpreter")
    sys.path.insert(0, folder)
    for module in BOTO3:
        importlib.import_module(module)
    done("boto3")
    for module in POWERTOOLS:
        # A function that does not log through it has none.
        if Path(folder, module).is_dir():
            # Both classes are imported when they are asked for.
            for attribute in ("Logger", "Metrics"):
                getattr(importlib.import_module(module), attribute)
    done("powertools")
    handler = importlib.import_module(f"tollgate_{name}.handler")
    done("function")
    for value in list(vars(handler).values()):
        if hasattr(value, "cache_info") and value.__module__ == handler.__name__:
            value()
    done("composed")
    print(json.dumps(steps))


if __name__ == "__main__":
    main()
