"""A receiver to try Hoopoe with: verifies each delivery and prints what came. Needs nothing but Python 3.

    SECRET=whsec_… python3 docs/start/receiver.py

For a receiver of your own, read docs/receivers/authentication.md.
"""

import hashlib
import hmac
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = os.environ["SECRET"].encode()
PORT = int(os.environ.get("PORT", "9000"))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        given = self.headers.get("x-wl-signature", "")
        verified = hmac.compare_digest(expected.encode(), given.encode())
        print(f"{self.headers.get('x-wl-event')} {self.headers.get('webhook-id')}:", "verified" if verified else "REFUSED", flush=True)
        self.send_response(204 if verified else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


print(f"waiting for deliveries on http://127.0.0.1:{PORT}/", flush=True)
HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
