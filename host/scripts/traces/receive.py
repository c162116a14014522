"""Starts a demo server that tells of its traces, and receives them; ends with 1 where no job's trace is whole in time."""

import http.server
import subprocess
import sys
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATIENCE_SECONDS = 60
SERVER, CLIENT, CONSUMER = 2, 3, 5
spans = {}


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        # What the definitions do not know would be lost on the way.
        assert request.SerializeToString() == body, "not as the definitions write it"
        assert self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        for resource in request.resource_spans:
            names = {one.key for one in resource.resource.attributes}
            assert "service.name" in names, names
            for scope in resource.scope_spans:
                spans.update((span.span_id, span) for span in scope.spans)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def chain(span):
    """From a call up to the request that it follows from."""
    names = []
    while span is not None:
        names.append(span)
        above = spans.get(span.parent_span_id)
        if above is not None:
            assert above.trace_id == span.trace_id, "another trace's"
        span = above
    return names


def whole():
    for span in list(spans.values()):
        call_step_task_job_request = chain(span)
        if span.kind == CLIENT and len(call_step_task_job_request) == 5:
            return call_step_task_job_request
    return None


def main():
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    server = subprocess.Popen(
        [sys.argv[1], "serve", "--demo", "--listen", "127.0.0.1:0", "--otlp-endpoint", endpoint],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while (found := whole()) is None:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < until, f"no whole trace among {len(spans)} spans"
            time.sleep(0.2)
    finally:
        server.terminate()
        server.wait()
    call, step, task, job, request = found
    assert (request.kind, job.kind) == (SERVER, CONSUMER), (request.kind, job.kind)
    assert step.name == "step" and job.name == "job" and task.name.startswith("task "), found
    for inner, outer in ((call, step), (step, task), (task, job)):
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano, (outer, inner)
        assert inner.end_time_unix_nano <= outer.end_time_unix_nano, (outer, inner)
    print(" > ".join(span.name for span in reversed(found)), f"({len(spans)} spans received)")


main()
