"""An HTTP session whose answers are usable; what a failure means is said in our words, which quote no key."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from stages.fetch.retries import PATIENT, RetryPolicy, TemporaryFailure
from stages.shared.errors import StageError

_GOOD_STATUS = frozenset({200, 206, 416})
_TEMPORARY_STATUS = frozenset({202, 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""202 is how figshare answers what it takes for a robot; 52x come from services behind Cloudflare."""
_SECRET_HEADER = re.compile(r"(?i).*(key|token)")


class CheckedSession(requests.Session):
    """A session that raises instead of returning an answer of no use: a status of failure, or a page of HTML.

    A status 416 comes through, for those who ask for ranges. Headers that hold a key go to the host they were meant for
    only, not to one it redirects to.

    Args:
        policy: its timeouts stand in the messages, and are those of `get_checked`.
    """

    def __init__(self, policy: RetryPolicy = PATIENT) -> None:
        super().__init__()
        self.policy = policy

    def get_checked(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        params: dict[str, str | int] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Ask for an address, with the timeouts of the policy.

        Raises:
            TemporaryFailure: no answer, or one that says to try again.
            StageError: an answer that says no.
        """
        timeouts = (self.policy.connect_timeout, self.policy.read_timeout)
        return self.get(url, headers=headers, params=params, timeout=timeouts, stream=stream)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a prepared request, as the base class does, and check the answer.

        Raises:
            TemporaryFailure: no answer, or one that says to try again.
            StageError: an answer that says no.
        """
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            raise failure_of(error, host_of(request.url), self.policy) from None
        if not response.is_redirect:
            _check(response)
        return response

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Leave out, as the base class does for `Authorization`, all keys when a redirect leads to another host."""
        super().rebuild_auth(prepared_request, response)
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            for name in [name for name in prepared_request.headers if _SECRET_HEADER.fullmatch(name)]:
                del prepared_request.headers[name]


def host_of(url: str | None) -> str:
    """Return the name of the service in an address, without anything that may hold a key."""
    return (urlsplit(url).hostname if url else None) or "the service"


def failure_of(
    error: requests.RequestException,
    host: str,
    policy: RetryPolicy,
    answered: bool = False,
    progressed: bool = False,
) -> TemporaryFailure:
    """Say what `requests` met; its own words may quote an address with a key.

    Args:
        error: from a request, or from reading the body of an answer.
        host: whom it was sent to.
        policy: the timeouts in force.
        answered: whether the service had begun to answer.
        progressed: whether more of the answer has come than ever before.

    Raises:
        StageError: trying again will not help.
    """
    match error:
        case requests.exceptions.SSLError():
            raise StageError(
                f"the certificate of {host} is not valid, or a proxy puts its own in place of it"
            ) from None
        case requests.exceptions.ConnectTimeout():
            reason = f"no connection within {policy.connect_timeout:g} s"
        case requests.exceptions.Timeout():
            answered, reason = True, f"nothing came for {policy.read_timeout:g} s"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            answered, reason = True, "the answer broke off"
        case requests.exceptions.ConnectionError():
            reason = "the connection broke" if answered else "no connection (is there a network?)"
        case _:
            raise StageError(f"{host} cannot be asked: {type(error).__name__}") from None
    return TemporaryFailure(reason, answered=answered, progressed=progressed)


def _check(response: requests.Response) -> None:
    status, host, path = response.status_code, host_of(response.url), urlsplit(response.url).path
    if status in _GOOD_STATUS:
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            response.close()
            raise TemporaryFailure("it sent a web page in place of data")
        return
    response.close()
    if status in _TEMPORARY_STATUS:
        raise TemporaryFailure(f"status {status}", retry_after=_retry_after(response))
    raise StageError(refusal(host, status, path))


def refusal(host: str, status: int, what: str) -> str:
    """Return a sentence about a status that trying again will not change.

    Args:
        host: the service.
        status: of its answer.
        what: it was asked for, a path or a noun phrase.
    """
    if status in (401, 403):
        return f"{host} refuses {what} (status {status}): is the key right, and may it read this?"
    if status in (404, 410):
        return f"{host} has no {what} (status {status})"
    return f"{host} answers {what} with status {status}"


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())
