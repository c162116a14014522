"""The kit: a task type from three functions over a state of plain JSON. See app.py for its use.

It turns the contract's shapes (wit/) into Python's: parameters, configuration, state and responses are values, not texts,
and a request is one call.
"""

import dataclasses
import json as json_module
import traceback

from componentize_py_types import Err
from wit_world.imports import checkpoints, http
from wit_world.imports import log as host_log
from wit_world.imports import orchestrator_task_types as task_types
from wit_world.imports import orchestrator_types_types as shared_types

# The number of the layout in which states are kept.
FORMAT = 1


class Failure(Exception):
    """Ends the task in error. `kind` is one of config, auth, not-found, rate-limit, transient, remote, internal."""

    def __init__(self, kind, code, message):
        super().__init__(message)
        self.kind, self.code, self.message = kind, code, message


class HttpError(Failure):
    """There is no answer to a request. `was_sent` is False where it certainly did not reach the other side."""

    def __init__(self, error):
        case = type(error).__name__.removeprefix("Error_")
        kind = "config" if case in ("Invalid", "Denied") else "transient"
        super().__init__(kind, f"HTTP_{case.upper()}", getattr(error, "value", "the answer is too large"))
        self.was_sent = case in ("NoAnswer", "TooLarge")


@dataclasses.dataclass
class Response:
    """The answer to a request."""

    status: int
    headers: dict
    body: bytes

    def json(self):
        return _parse("the answer", self.body)


def log(level, message):
    """One line of the run's log: debug, info, warning or error."""
    host_log.write(host_log.Level[level.upper()], message)


def done(response=None):
    """The task ended well, with this response."""
    return _ended(task_types.Verdict.SUCCESS, response, "")


def error(response, why):
    """The task ended, but did not do what it should; the sentence says why."""
    return _ended(task_types.Verdict.ERROR, response, why)


def wait(state, seconds, message):
    """Go on from `state` (any JSON) after so many seconds; the sentence says what is being waited for."""
    progress = task_types.Progress(percent=None, message=message)
    return task_types.Step_Wait(task_types.Wait(_pack(state), round(seconds * 1000), progress, None, []))


def save(state):
    """Makes `state` durable in the middle of a step: after a crash the next step begins from here."""
    try:
        checkpoints.save(_pack(state))
    except Err as problem:
        raise Failure("transient", "NOT_SAVED", f"the state was not saved: {problem.value}") from None


def send(method, url, headers=None, body=b"", json=None, timeout_ms=None):
    """Sends one request. Raises an HttpError."""
    headers = [(name, str(value)) for name, value in (headers or {}).items()]
    if json is not None:
        body = json_module.dumps(json).encode()
        headers.append(("Content-Type", "application/json"))
    try:
        response = http.send(http.Request(method, url, headers, bytes(body), timeout_ms))
    except Err as problem:
        raise HttpError(problem.value) from None
    return Response(response.status, dict(response.headers), response.body)


def define_task(start, resume, cancel=lambda context, state: None):
    """The exports of a task type, from its steps."""

    class Task:
        def start(self, ctx):
            return _step(lambda: start(_readable(ctx)))

    class Resumable:
        def resume(self, ctx, state, wake):
            return _step(lambda: resume(_readable(ctx), _unpack(state)))

        def cancel(self, ctx, state):
            _step(lambda: cancel(_readable(ctx), _unpack(state)))

    return Task, Resumable


def _ended(verdict, response, summary):
    return task_types.Step_Done(task_types.Outcome(verdict, json_module.dumps(response), summary, []))


def _readable(context):
    parameters = _parse("parameters", context.parameters)
    return dataclasses.replace(context, parameters=parameters, config=_parse("config", context.config))


def _step(run):
    """What is raised becomes the contract's failure; anything but a Failure is a fault of the plugin."""
    try:
        return run()
    except Failure as problem:
        failure = problem
    except Exception as problem:
        log("error", traceback.format_exc())
        failure = Failure("internal", "PLUGIN_FAILURE", f"{type(problem).__name__}: {problem}")
    kind = shared_types.FailureKind[failure.kind.upper().replace("-", "_")]
    raise Err(shared_types.Failure(kind, failure.code, failure.message, None, []))


def _pack(state):
    return checkpoints.Checkpoint(FORMAT, json_module.dumps(state).encode())


def _unpack(state):
    if state.format != FORMAT:
        raise Failure("internal", "BAD_STATE", f"the state has format {state.format}")
    return _parse("state", state.data)


def _parse(what, text):
    try:
        return json_module.loads(text)
    except ValueError as problem:
        raise Failure("remote", "BAD_JSON", f"{what} is no JSON: {problem}") from None
