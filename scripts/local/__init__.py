"""The local stack: the deployed handlers behind local stand-ins for the services of AWS."""

from __future__ import annotations
