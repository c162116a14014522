"""The kit, what it has for tasks and deliveries alike: failures, log, requests, signatures."""

import dataclasses
import json as json_module
import traceback

from componentize_py_types import Err
from wit_world.imports import credentials
from wit_world.imports import log as host_log
from wit_world.imports import orchestrator_types_types as shared_types

try:
    from wit_world.imports import http
except ImportError:
    # Not there where plugin.toml does not ask for the capability http: `build` leaves it out of the world then.
    http = None


class Failure(Exception):
    """Ends the task, or the attempt at a delivery.

    `kind` is one of config, auth, not-found, rate-limit, transient, remote, internal.
    """

    def __init__(self, kind, code, message, retry_after_ms=None):
        super().__init__(message)
        self.kind, self.code, self.message = kind, code, message
        self.retry_after_ms = retry_after_ms


class HttpError(Failure):
    """There is no answer to a request. `was_sent` is False where it certainly did not reach the other side."""

    def __init__(self, error):
        case = type(error).__name__.removeprefix("Error_")
        kind = "config" if case in ("Invalid", "Denied") else "transient"
        code = {"NoAnswer": "NO_ANSWER", "NotSent": "NOT_SENT", "TooLarge": "TOO_LARGE"}.get(case, case.upper())
        why = f"the answer has more than {error.value} bytes" if case == "TooLarge" else error.value
        super().__init__(kind, f"HTTP_{code}", why)
        self.was_sent = case in ("NoAnswer", "TooLarge")


@dataclasses.dataclass
class Response:
    """The answer to a request."""

    status: int
    headers: dict  # Names in lower case.
    body: bytes

    def json(self):
        return parse("the answer", self.body)


def log(level, message):
    """One line of the log: debug, info, warning or error."""
    host_log.write(host_log.Level[level.upper()], message)


def send(method, url, headers=None, body=b"", json=None, timeout_ms=None):
    """Sends one request: `headers` is a dict, `body` bytes, `json` a value in place of it. Raises an HttpError."""
    if http is None:
        raise Failure("config", "HTTP_DENIED", "plugin.toml does not ask for the capability http")
    headers = [(name, str(value)) for name, value in (headers or {}).items()]
    if json is not None:
        body = json_module.dumps(json).encode()
        headers.append(("Content-Type", "application/json"))
    try:
        response = http.send(http.Request(method, url, headers, bytes(body), timeout_ms))
    except Err as problem:
        raise HttpError(problem.value) from None
    return Response(response.status, dict(response.headers), response.body)


def sign(credential, message):
    """HMAC-SHA256 of a text or bytes under one of the project's credentials, which stays in the server: 32 bytes."""
    message = message.encode() if isinstance(message, str) else bytes(message)
    try:
        return credentials.sign(credential, message)
    except Err as problem:
        why = type(problem.value).__name__.removeprefix("SignError_")
        raise Failure("config", "NOT_SIGNED", f"nothing was signed with the credential {credential}: {why}") from None


def call(run):
    """What is raised becomes the contract's failure; anything but a Failure is a fault of the plugin."""
    try:
        return run()
    except Failure as problem:
        failure = problem
    except Exception as problem:
        log("error", traceback.format_exc())
        failure = Failure("internal", "PLUGIN_FAILURE", f"{type(problem).__name__}: {problem}")
    kind = shared_types.FailureKind[failure.kind.upper().replace("-", "_")]
    raise Err(shared_types.Failure(kind, failure.code, failure.message, failure.retry_after_ms, []))


def parse(what, text):
    try:
        return json_module.loads(text)
    except ValueError as problem:
        raise Failure("remote", "BAD_JSON", f"{what} is no JSON: {problem}") from None
