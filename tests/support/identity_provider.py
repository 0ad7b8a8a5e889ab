"""An identity provider on loopback, which gives tokens that nobody signed to whom knows its secret."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


def unsigned(**claims: object) -> str:
    """A JSON web token with these claims and no signature."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


@contextmanager
def identity_provider(client: str, secret: str, subject: str) -> Iterator[str]:
    """Its token endpoint while the block lasts."""
    known = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            now_s = int(time.time())
            let_in = self.headers["Authorization"] == known
            token = unsigned(sub=subject, iat=now_s, exp=now_s + 600)
            told = {"access_token": token, "expires_in": 600} if let_in else {"error": "invalid_client"}
            body = json.dumps(told).encode()
            self.send_response(200 if let_in else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing: it is a test."""

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
