"""Trying again: how often, and how long to pause in between."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stages.shared.errors import StageError

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again and when to give up. An attempt that got farther than all before it starts the count anew.

    Args:
        attempts: in a row without progress.
        first_attempts: the same while the service has not answered at all: without a network one wants to know soon.
        first_wait: seconds before the second attempt; each further wait is twice as long, times 0.5 to 1.5.
        longest_wait: seconds at which the waits stop growing.
        longest_retry_after: seconds up to which a service's `Retry-After` is waited for.
        connect_timeout: seconds until a connection must stand.
        read_timeout: seconds without a byte after which a connection counts as stalled.
    """

    attempts: int = 9
    first_attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 60.0
    longest_retry_after: float = 600.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    def wait(self, failures: int) -> float:
        """Return the pause in seconds after so many failures in a row."""
        return min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait) * random.uniform(0.5, 1.5)


PATIENT = RetryPolicy()


class TemporaryFailure(Exception):
    """Something that may work the next time.

    Args:
        reason: what went wrong, to follow "the last time: ".
        answered: whether the service has answered at all.
        progressed: whether the attempt got farther than every one before it.
        retry_after: seconds the service asks to wait.
    """

    def __init__(
        self, reason: str, *, answered: bool = True, progressed: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.answered = answered
        self.progressed = progressed
        self.retry_after = retry_after


def persevere(attempt: Callable[[], T], service: str, policy: RetryPolicy = PATIENT) -> T:
    """Call `attempt` until it returns, with a pause after each `TemporaryFailure`.

    Args:
        attempt: what to do; called again from the start.
        service: what to call the other side in the message.
        policy: how often and with which pauses.

    Raises:
        StageError: it failed as often in a row as the policy allows, or the service asks to wait for too long.
    """
    failures, answered = 0, False
    while True:
        try:
            return attempt()
        except TemporaryFailure as error:
            failures = 1 if error.progressed else failures + 1
            answered = answered or error.answered
            if failures >= (policy.attempts if answered else policy.first_attempts):
                raise StageError(
                    f"{service} failed {failures} times in a row, the last time: {error}; "
                    "run it again later, it goes on where it stopped"
                ) from None
            wait = policy.wait(failures)
            if error.retry_after is not None:
                if error.retry_after > policy.longest_retry_after:
                    minutes = error.retry_after / 60
                    raise StageError(
                        f"{service} asks to come back in {minutes:.0f} minutes; run it again then"
                    ) from None
                wait += error.retry_after
        time.sleep(wait)
