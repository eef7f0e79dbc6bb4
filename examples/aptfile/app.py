"""Draws large letters with figlet, a program that the Aptfile asks for."""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        text = "Hello from aptfile!\n"
        banner = subprocess.run(["figlet", "aptfile"], capture_output=True, text=True, check=True)
        body = (banner.stdout + text).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# Before an instance is replaced it gets SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "3000"))), Page).serve_forever()
