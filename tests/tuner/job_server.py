"""A server that answers as Ray's job server does, and remembers what it was asked for."""

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class JobServer:
    """On a free port of 127.0.0.1, from ``with`` to its end.

    Attributes:
        jobs: what was submitted, by id, with its ``status``.
        packages: files that were uploaded, by name, as ``{path: bytes}``.
        logs: text per job.
        begun: status of a job that was just submitted.
        first: what it has said by then.
        fate: its status at each further look, as far as that goes; its log says so, too. ``None``
            is a look that a proxy answers instead.
        agentless: how many jobs it will not take because no agent could start them.
    """

    def __init__(self):
        self.jobs, self.packages, self.logs = {}, {}, {}
        self.begun, self.first, self.agentless = "RUNNING", "starting\n", 0
        self.fate = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, content, code=200):
                self.say(json.dumps(content), code, "application/json")

            def say(self, text, code, kind="text/plain"):
                body = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                server.get(self, unquote(self.path).strip("/").split("/"))

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.upload(self.path.rpartition("/")[2], body)
                self.answer({})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.post(self, unquote(self.path).strip("/").split("/"), body)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def get(self, handler, parts):
        match parts:
            case ["api", "version"]:
                handler.answer({"version": "4", "ray_version": "2.60.0", "ray_commit": "0"})
            case ["api", "packages", _, name]:
                handler.answer({}, 200 if name in self.packages else 404)
            case ["api", "jobs"]:
                handler.answer(list(self.jobs.values()))
            case ["api", "jobs", job, "logs"]:
                handler.answer({"logs": self.logs.get(job, "")})
            case ["api", "jobs", job]:
                if job in self.jobs and self.fate and not self.live(job, self.fate.pop(0)):
                    handler.say("bad gateway", 502)
                    return
                handler.answer(self.jobs.get(job, "no such job"), 200 if job in self.jobs else 404)

    def post(self, handler, parts, body):
        if parts[-1] == "stop":
            self.jobs[parts[2]]["status"] = "STOPPED"
            handler.answer({"stopped": True})
            return
        if self.agentless:
            self.agentless -= 1
            handler.say("No available agent to submit job, please try again later.", 500)
            return
        asked = json.loads(body)
        job = asked["submission_id"]
        self.jobs[job] = {**asked, "type": "SUBMISSION", "status": self.begun}
        self.logs[job] = self.first
        handler.answer({"job_id": job, "submission_id": job})

    def live(self, job, status):
        if status is not None:
            self.jobs[job]["status"] = status
            self.logs[job] += f"{status.lower()} now\n"
        return status is not None

    def upload(self, name, body):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            self.packages[name] = {path: archive.read(path) for path in archive.namelist()}
