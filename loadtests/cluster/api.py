"""The API server of KUBECONFIG: calls on a kept connection for each thread, and watches that stamp what they see."""

import base64
import http.client
import json
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

MERGE = "application/merge-patch+json"
JSON = "application/json"
CALL = 60


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, method, path, status, words):
        super().__init__(f"{method} {path}: {status} {words[:300]}")
        self.status = status


class Api:
    """As `kubectl config view` describes it: with a client certificate or a token."""

    def __init__(self):
        view = subprocess.run(["kubectl", "config", "view", "--minify", "--raw", "--flatten", "-o", "json"],
                              check=True, capture_output=True, text=True).stdout
        view = json.loads(view)
        cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
        self.server = urllib.parse.urlsplit(cluster["server"])
        authority = cluster.get("certificate-authority-data")
        self.tls = ssl.create_default_context(cadata=authority and base64.b64decode(authority).decode())
        self.headers = {}
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile() as both:
                for part in ("client-certificate-data", "client-key-data"):
                    both.write(base64.b64decode(user[part]) + b"\n")
                both.flush()
                self.tls.load_cert_chain(both.name)
        elif "token" in user:
            self.headers["Authorization"] = f"Bearer {user['token']}"
        else:
            raise SystemExit("KUBECONFIG's user has neither a client certificate nor a token")
        self.own = threading.local()

    def connection(self, timeout=CALL):
        return http.client.HTTPSConnection(self.server.hostname, self.server.port or 443, context=self.tls,
                                           timeout=timeout)

    def call(self, method, path, body=None, kind=JSON):
        """The answer's object; `Refused` if it is no success."""
        for attempt in (0, 1):
            kept = getattr(self.own, "connection", None)
            if kept is None:
                kept = self.own.connection = self.connection()
            try:
                kept.request(method, path, json.dumps(body) if body is not None else None,
                             {**self.headers, "Content-Type": kind})
                answer = kept.getresponse()
                text = answer.read().decode()
                break
            except (http.client.HTTPException, ConnectionError):
                # A kept connection may have been closed meanwhile.
                self.own.connection = None
                if attempt:
                    raise
        if answer.status >= 300:
            raise Refused(method, path, answer.status, text)
        return json.loads(text)

    def get(self, path):
        """The object, or None where there is none."""
        try:
            return self.call("GET", path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def create(self, path, body):
        """Made, or there already."""
        try:
            return self.call("POST", path, body)
        except Refused as refused:
            if refused.status != 409:
                raise

    def patch(self, path, body):
        return self.call("PATCH", path, body, MERGE)

    def delete(self, path):
        try:
            return self.call("DELETE", path)
        except Refused as refused:
            if refused.status != 404:
                raise

    def watch(self, path, seen):
        return Watch(self, path, seen)


class Watch:
    """Calls `seen(kind of change, object, CLOCK_MONOTONIC in ns)` for what is there and for each change, until it is closed."""

    def __init__(self, api, path, seen):
        self.api, self.path, self.seen = api, path, seen
        self.closed, self.connection = threading.Event(), None
        listed = api.call("GET", path)
        for item in listed["items"]:
            seen("ADDED", item, time.monotonic_ns())
        self.version = listed["metadata"]["resourceVersion"]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.closed.is_set():
            try:
                self.follow()
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                # Closed by either side; if not by us, it goes on from where it was.
                self.closed.wait(0.1)

    def follow(self):
        self.connection = self.api.connection(timeout=None)
        joint = "&" if "?" in self.path else "?"
        self.connection.request("GET", f"{self.path}{joint}watch=1&resourceVersion={self.version}",
                                headers=self.api.headers)
        for line in self.connection.getresponse():
            now = time.monotonic_ns()
            change = json.loads(line)
            if change["type"] == "ERROR":
                raise SystemExit(f"watch of {self.path}: {change['object']}")
            self.version = change["object"]["metadata"]["resourceVersion"]
            self.seen(change["type"], change["object"], now)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed.set()
        if self.connection and self.connection.sock:
            self.connection.sock.close()


def until(limit, what, attempt, pause=0.02):
    """Tries until it returns something that is true."""
    end = time.monotonic() + limit
    while not (value := attempt()):
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {limit} s")
        time.sleep(pause)
    return value
