"""Work that no model is called for and nobody is charged for, and how much of it a tenant may ask.

A poll of a job, a repeat under an idempotency key and a token count hold an environment of a
function like any call does, and no account counts them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FreeLimits:
    """What each tenant may ask for.

    `waiting_requests` is how many polls and repeats may wait at once, `polls_per_minute` how many
    of both are answered in a calendar minute, `token_counts_per_minute` how many counts.
    """

    waiting_requests: int = 20
    polls_per_minute: int = 6000
    token_counts_per_minute: int = 600
