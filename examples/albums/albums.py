#!/usr/bin/env python3
"""A small HTTP API over a list of albums, with Python's standard library only: see openapi/albums.yaml.

Listens on $HOST:$PORT. The albums are in memory and end with the process. SIGTERM: no new connections, the requests that have begun are
answered, then it ends with 0.
"""

import json
import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MAX_BODY_BYTES = 8192
MAX_ALBUMS = 1000
FIELDS = ("title", "artist", "year")
TITLES = {404: "Not Found", 405: "Method Not Allowed", 411: "Length Required", 413: "Content Too Large", 422: "Unprocessable Content"}


class Refusal(Exception):
    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Albums:
    """The list, for many threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rows = {}
        self.last_id = 0
        self.add({"title": "Kind of Blue", "artist": "Miles Davis", "year": 1959})
        self.add({"title": "Blue", "artist": "Joni Mitchell", "year": 1971})
        self.add({"title": "Bitches Brew", "artist": "Miles Davis", "year": 1970})

    def find(self, artist):
        with self.lock:
            return [row for row in self.rows.values() if artist is None or row["artist"] == artist]

    def get(self, album_id):
        with self.lock:
            return self._there(album_id)

    def add(self, fields):
        with self.lock:
            if len(self.rows) >= MAX_ALBUMS:
                raise Refusal(422, f"there may be at most {MAX_ALBUMS} albums")
            self.last_id += 1
            return self._put(self.last_id, fields)

    def replace(self, album_id, fields):
        with self.lock:
            self._there(album_id)
            return self._put(album_id, fields)

    def delete(self, album_id):
        with self.lock:
            self._there(album_id)
            del self.rows[album_id]

    def _there(self, album_id):
        if album_id not in self.rows:
            raise Refusal(404, f"there is no album {album_id}")
        return self.rows[album_id]

    def _put(self, album_id, fields):
        self.rows[album_id] = {"album_id": album_id, **fields}
        return self.rows[album_id]


def read_album(body):
    def no_constant(name):
        raise ValueError(f"{name} is not JSON")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(422, "the body must be JSON") from error
    if not isinstance(value, dict):
        raise Refusal(422, "the body must be an object")
    for name in value:
        if name not in FIELDS:
            raise Refusal(422, f"the body may have {', '.join(FIELDS)} and nothing else")
    for name in ("title", "artist"):
        text = value.get(name)
        if not isinstance(text, str) or not 1 <= len(text) <= 200 or re.search("[\x00-\x1f\x7f\ud800-\udfff]", text):
            raise Refusal(422, f"{name} must be a text of 1 to 200 characters, none of them a control character")
    year = value.get("year")
    if isinstance(year, bool) or not isinstance(year, (int, float)) or not 1860 <= year <= 2100 or year != int(year):
        raise Refusal(422, "year must be an integer from 1860 to 2100")
    return {"title": value["title"], "artist": value["artist"], "year": int(year)}


def answer(albums, method, target, body):
    """(status, value, headers); a value of None is no body."""
    url = urlsplit(target)
    if url.path == "/health":
        return allowed(method, {"GET": lambda: (200, {"status": "ok"}, {})})
    if url.path == "/albums":
        artist = parse_qs(url.query, keep_blank_values=True).get("artist", [None])[0]
        return allowed(method, {"GET": lambda: (200, {"albums": albums.find(artist)}, {}), "POST": lambda: created(albums.add(read_album(body)))})
    found = re.fullmatch("/albums/([1-9][0-9]{0,8})", url.path, re.ASCII)
    if found is None:
        raise Refusal(404, "there is nothing at this path")
    album_id = int(found[1])
    return allowed(
        method,
        {
            "GET": lambda: (200, albums.get(album_id), {}),
            "PUT": lambda: (200, albums.replace(album_id, read_album(body)), {}),
            "DELETE": lambda: (204, albums.delete(album_id), {}),
        },
    )


def allowed(method, answers):
    if method not in answers:
        return problem(405, f"this path takes {', '.join(answers)}", {"Allow": ", ".join(answers)})
    return answers[method]()


def created(album):
    return 201, album, {"Location": f"/albums/{album['album_id']}"}


def problem(status, detail, headers=None):
    value = {"type": "about:blank", "title": TITLES.get(status, "Bad Request"), "status": status, "detail": detail}
    return status, value, {"Content-Type": "application/problem+json", **(headers or {})}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address):
        super().__init__(address, Handler)
        self.albums = Albums()
        self.ending = False
        self.under_way = 0
        self.changed = threading.Condition()

    def count(self, by):
        with self.changed:
            self.under_way += by
            self.changed.notify_all()

    def end(self):
        self.ending = True
        # From a thread of its own: shutdown() waits for the loop that was interrupted by the signal.
        threading.Thread(target=self.shutdown).start()

    def wait_for_requests(self):
        with self.changed:
            self.changed.wait_for(lambda: self.under_way == 0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body leave together.
    wbufsize = -1
    counted = False

    def parse_request(self):
        # Its first line is there: from now on it is answered, whatever comes.
        self.counted = True
        self.server.count(1)
        return super().parse_request()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True
        finally:
            if self.counted:
                self.counted = False
                self.server.count(-1)

    def handle_method(self):
        try:
            body = self.read_body()
            status, value, headers = answer(self.server.albums, self.command, self.path, body)
        except Refusal as refusal:
            status, value, headers = problem(refusal.status, refusal.detail)
        self.respond(status, value, headers)

    def __getattr__(self, name):
        # The base class looks for do_GET and so on; every method is answered here.
        if name.startswith("do_"):
            return self.handle_method
        raise AttributeError(name)

    def read_body(self):
        length = self.headers.get("Content-Length", "0")
        # What is not read would be taken for the next request.
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refusal(411, "the body must have a Content-Length")
        if not re.fullmatch("[0-9]{1,9}", length, re.ASCII) or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            # To close on who is still sending would take the answer from it.
            self.rfile.read(int(length) if len(length) < 7 else 0)
            raise Refusal(413, f"the body may have at most {MAX_BODY_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the body is not whole")
        return body

    def respond(self, status, value, headers):
        body = b"" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8")
        self.send_response(status)
        if value is not None:
            self.send_header("Content-Type", headers.pop("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name, text)
        if self.close_connection or self.server.ending:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
        self.wfile.flush()

    def handle_expect_100(self):
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def send_error(self, code, message=None, explain=None):
        """What the base class refuses: a request that cannot be read."""
        self.close_connection = True
        self.respond(*problem(code, message or "the request cannot be read"))

    def log_message(self, *_):
        pass


def main():
    server = Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: server.end())
    print(f"albums, in Python, on port {server.server_address[1]}", file=sys.stderr, flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    server.wait_for_requests()


main()
