"""A proxy on 127.0.0.1 that counts requests, and can be slow or dead."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASSED_ON = {"content-type", "accept", "user-agent"}


@dataclass
class Proxy:
    """How the proxy behaves, and what it has seen.

    Attributes:
        target: ``host:port`` of the server behind it.
        delay: seconds before a request is passed on.
        dead: whether connections are closed without an answer.
        requests: how many requests arrived, by method and path.
        address: where it listens.
    """

    target: str
    delay: float = 0.0
    dead: bool = False
    requests: Counter[str] = field(default_factory=Counter)
    address: str = ""


@contextmanager
def proxy_of(base: str) -> Iterator[Proxy]:
    """A proxy in front of a server, for as long as the block lasts."""
    proxy = Proxy(urlsplit(base).netloc)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            proxy.requests[f"{self.command} {path}"] += 1
            if proxy.dead:
                self.close_connection = True
                return
            time.sleep(proxy.delay)
            headers = {k: v for k, v in self.headers.items() if k.lower() in PASSED_ON}
            connection = http.client.HTTPConnection(proxy.target, timeout=60)
            connection.request(self.command, self.path, body=content, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type") or "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The counter tells."""

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler._pass_on)
    return Handler
