"""The kit: a task type from three functions over a state of plain JSON. See app.py for its use.

It turns the contract's shapes (wit/) into Python's: parameters, configuration, state and responses are values, not texts.
What tasks and deliveries share is in host.py.
"""

import dataclasses
import json as json_module

from componentize_py_types import Err
from host import Failure, HttpError, Response, call, log, parse, send, sign  # noqa: F401
from wit_world.imports import checkpoints
from wit_world.imports import orchestrator_task_types as task_types

# The number of the layout in which states are kept.
FORMAT = 1


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


def define_task(start, resume=None, cancel=lambda context, state: None):
    """The exports of a task type, from its steps. One that never waits needs `start` only."""

    def begin(context):
        step = start(context)
        if isinstance(step, task_types.Step_Wait) and resume is None:
            why = "resume is missing: start answered wait, so define_task needs resume, too"
            raise Failure("internal", "NOT_RESUMABLE", why)
        return step

    class Task:
        def start(self, ctx):
            return call(lambda: begin(_readable(ctx)))

    class Resumable:
        def resume(self, ctx, state, wake):
            return call(lambda: resume(_readable(ctx), _unpack(state)))

        def cancel(self, ctx, state):
            call(lambda: cancel(_readable(ctx), _unpack(state)))

    return Task, Resumable


def _ended(verdict, response, summary):
    return task_types.Step_Done(task_types.Outcome(verdict, json_module.dumps(response), summary, []))


def _readable(context):
    parameters = parse("parameters", context.parameters)
    return dataclasses.replace(context, parameters=parameters, config=parse("config", context.config))


def _pack(state):
    return checkpoints.Checkpoint(FORMAT, json_module.dumps(state).encode())


def _unpack(state):
    if state.format != FORMAT:
        raise Failure("internal", "BAD_STATE", f"the state has format {state.format}")
    return parse("state", state.data)
