"""Gives a fresh server something of everything, so that generated requests meet more than 404."""

import json
import os
import urllib.request

BASE = os.environ["SCHEMATHESIS_BASE"]
ROWS = 30


def call(method, path, body, header=("X-StorageApi-Token", "SCHEMATHESIS_TOKEN")):
    name, variable = header
    data = json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {name: os.environ[variable]}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


# Notes: they end by themselves and call nobody.
task = {"component": "delay", "actionParameters": {"seconds": 1}}
for number in range(1, ROWS + 1):
    made = call("POST", "/orchestrations", {"name": f"Seed {number}", "tasks": [task]})
    call("POST", f"/orchestrations/{made['id']}/jobs", {})
operator = ("X-Operator-Token", "SCHEMATHESIS_OPERATOR_TOKEN")
for number in range(2, 12):
    call("POST", "/operator/projects", {"name": f"Project {number}"}, operator)
call("PUT", "/components/ex-facebook", {"url": "https://components.example.com/ex-facebook"})
secret = {"type": "bearer", "token": "secret", "hosts": ["https://api.example.com"]}
call("PUT", "/credentials/warehouse", secret)
