"""The kit: a delivery from one function. See app.py for its use.

It turns the contract's shapes (wit/) into Python's: the event's kind is a text, its configuration and parameters are values.
What tasks and deliveries share is in host.py.
"""

import dataclasses

from host import Failure, HttpError, Response, call, log, parse, send, sign  # noqa: F401


def define_delivery(deliver):
    """The export of a delivery: `deliver(event)` answers with a receipt (a text) or None, or raises a Failure."""

    class Delivery:
        def deliver(self, event):
            return call(lambda: deliver(_readable(event)))

    return Delivery


def check(response):
    """What a receiver's answer means.

    2xx is delivered, 410 says that the receiver is gone for good, 429 and 503 ask to come back later, and anything else may
    get better.
    """
    status = response.status
    if 200 <= status < 300:
        return response
    message = f"the receiver answered {status}"
    if status == 410:
        raise Failure("not-found", "GONE", message)
    if status in (429, 503):
        after = response.headers.get("retry-after", "")
        raise Failure("rate-limit", "RECEIVER_BUSY", message, int(after) * 1000 if after.isdecimal() else None)
    raise Failure("transient", "RECEIVER_FAILED", message)


def _readable(event):
    kind = type(event.kind).__name__.removeprefix("EventKind_").lower()
    return dataclasses.replace(
        event,
        kind=event.kind.value if kind == "other" else kind,
        config=parse("config", event.config),
        parameters=parse("parameters", event.parameters),
    )
