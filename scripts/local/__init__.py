"""The local stack: the deployed handlers behind local stand-ins for the services of AWS.

A function's package lies in the function's own folder, as it does at the top of its zip. Importing
this package puts those folders on the path, for `python -m scripts.local` has no other way to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

_FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"

for _folder in sorted(_FUNCTIONS.iterdir()):
    if _folder.is_dir() and str(_folder) not in sys.path:
        sys.path.append(str(_folder))
