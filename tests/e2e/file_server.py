# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server on the loopback interface that serves files as well or as badly as a test wants it to."""

import hashlib
import http.server
import threading


class FileServer:
    """Serves `files` (path → bytes). `requests` has (path, Range, If-Range) of each request.

    `ranges`: answers requests for a part with that part. `cut`: numbers of bytes after which it closes the
    connection, one for each request for a path in `cut_paths`. `redirects`: path → location. `hold`: a path whose body it
    sends half of, and then waits for `release`.
    """

    def __init__(self):
        self.files = {}
        self.requests = []
        self.redirects = {}
        self.statuses = {}
        self.ranges = True
        self.etags = True
        self.cut = []
        self.hold = None
        self.held = threading.Event()
        self.release = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def paths(self):
        return [path for path, _, _ in self.requests]

    def answer(self, handler):
        path = handler.path.split("?")[0]
        self.requests.append((path, handler.headers.get("Range"), handler.headers.get("If-Range")))
        # One connection a request, and said so: a client must not count on it for the next.
        handler.close_connection = True
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header("Connection", "close")
            handler.send_header("Location", self.redirects[path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if path in self.statuses or path not in self.files:
            handler.send_error(self.statuses.get(path, 404))
            return
        self._send_file(handler, path, self.files[path])

    def _send_file(self, handler, path, body):
        etag = '"' + hashlib.md5(body, usedforsecurity=False).hexdigest() + '"'
        wanted = handler.headers.get("Range")
        start = 0
        if wanted and self.ranges and handler.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        if start >= len(body) and start > 0:
            handler.send_response(416)
            handler.send_header("Connection", "close")
            handler.send_header("Content-Range", f"bytes */{len(body)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Connection", "close")
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.etags:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        rest = body[start:]
        if path == self.hold:
            handler.wfile.write(rest[: len(rest) // 2])
            handler.wfile.flush()
            self.held.set()
            self.release.wait(60)
            return
        if self.cut and len(rest) > self.cut[0]:
            rest = rest[: self.cut.pop(0)]
        try:
            handler.wfile.write(rest)
        except OSError:
            pass  # who asked has gone
