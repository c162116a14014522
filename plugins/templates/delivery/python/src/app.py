"""The delivery {{id}}: opens an alert at an API for what went wrong, and closes it when it is over.

The server calls `deliver` once per attempt. Where it raises a Failure of the kind `transient` or `rate-limit`, the server
tries again, later and later, for three days. An attempt may be repeated: the API gets the delivery's id as a key.
"""

from orchestrator import check, define_delivery, log, send

API = "https://alerts.example.com/alerts"


def deliver(event):
    is_over = event.kind in ("recovery", "success")
    alert = {
        # The same for errors that follow one another, and for the recovery that ends them.
        "key": event.incident,
        "state": "closed" if is_over else "open",
        "team": event.config["team"],
        "title": f"{event.orchestration.name}: {event.kind}",
        "details": [f"{task.component}: {task.message}" for task in event.failed_tasks],
        "url": event.job.url,
    }
    headers = {"Idempotency-Key": event.delivery_id}
    answer = check(send("POST", API, headers=headers, json=alert)).json()
    log("info", f"alert {answer['id']} is {alert['state']}")
    return f"alert {answer['id']}"


Delivery = define_delivery(deliver)
