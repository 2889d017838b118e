"""What the documents have from the code: one module for each kind of table."""

from __future__ import annotations
