"""The task type {{id}}: starts an export with one POST, then asks every half minute whether it is ready.

Each function below is one step. Between two steps nothing of the task exists but its state: the server may have been
restarted, or another one may go on. So a task never sleeps, it answers `wait`.
"""

from orchestrator import Failure, HttpError, define_task, done, error, log, send, wait

API = "https://api.example.com/exports"


def start(context):
    table = context.parameters.get("table")
    if not isinstance(table, str):
        raise Failure("config", "BAD_PARAMETERS", "the parameter table is missing")
    try:
        # The same key in every attempt at this task: the export is started once, whatever happens.
        headers = {"Idempotency-Key": context.idempotency_key}
        response = send("POST", API, headers=headers, json={"table": table})
    except HttpError as problem:
        if not problem.was_sent:
            return later(problem.message)
        raise
    if response.status in (429, 503):
        return later("the API is busy")
    if response.status >= 300:
        raise Failure("remote", "REFUSED", f"the API answered {response.status}")
    export = response.json()["id"]
    log("info", f"export {export} of {table} is running")
    return wait({"export": export}, 10, f"export {export} is running")


def resume(context, state):
    export = state.get("export")
    if export is None:
        # The API was busy, or away: nothing has begun.
        return start(context)
    try:
        response = send("GET", f"{API}/{export}")
    except HttpError as problem:
        # Asking again does no harm.
        return wait(state, 30, problem.message)
    if response.status != 200:
        return wait(state, 30, f"the API answered {response.status}")
    answer = response.json()
    if answer["status"] == "ready":
        return done({"export": export, "rows": answer["rows"]})
    if answer["status"] == "failed":
        return error(answer, f"export {export} failed")
    return wait(state, 30, f"export {export} is running")


def cancel(context, state):
    """The task's time is up: whatever this answers, it has ended."""
    if "export" in state:
        send("DELETE", f"{API}/{state['export']}")


def later(why):
    return wait({}, 60, why)


Task, Resumable = define_task(start, resume, cancel)
