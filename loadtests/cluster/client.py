"""HTTP/1.1 in the plain: one request, or many at once, stamped in nanoseconds of CLOCK_MONOTONIC."""

import dataclasses
import json
import selectors
import socket
import time


@dataclasses.dataclass
class Answer:
    """What came of a request; status 0 where nothing did."""

    sent: int = 0
    first: int = 0
    done: int = 0
    status: int = 0
    head: str = ""
    body: bytes = b""

    @property
    def took(self):
        """Milliseconds until its first byte."""
        return (self.first - self.sent) / 1e6

    def json(self):
        return json.loads(self.body)


def request(host, method="GET", path="/"):
    return (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n").encode()


def ask(address, host, method="GET", path="/", limit=90):
    """On a connection of its own, made before it counts."""
    with socket.create_connection(address, limit) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = Answer(sent=time.monotonic_ns())
        connection.sendall(request(host, method, path))
        received = connection.recv(65536)
        answer.first = time.monotonic_ns()
        while more := connection.recv(65536):
            received += more
    return read(answer, received)


def crowd(address, hosts, limit=120):
    """All at once: connections first, then the requests, then the answers, in their order."""
    selector, answers = selectors.DefaultSelector(), []
    for host in hosts:
        connection = socket.create_connection(address, 10)
        connection.setblocking(False)
        answers.append(Answer())
        selector.register(connection, selectors.EVENT_READ, (answers[-1], bytearray(), request(host)))
    waiting = list(selector.get_map().values())
    for key in waiting:
        answer, _, words = key.data
        answer.sent = time.monotonic_ns()
        key.fileobj.send(words)
    end, left = time.monotonic() + limit, len(waiting)
    while left and time.monotonic() < end:
        for key, _ in selector.select(1):
            left -= hear(selector, key)
    for key in list(selector.get_map().values()):
        selector.unregister(key.fileobj)
        key.fileobj.close()
    return answers


def hear(selector, key):
    """Takes what has come; 1 if that was all of it."""
    answer, received, _ = key.data
    try:
        more = key.fileobj.recv(65536)
    except BlockingIOError:
        return 0
    except ConnectionError:
        more = b""
    answer.first = answer.first or time.monotonic_ns()
    received += more
    if more:
        return 0
    selector.unregister(key.fileobj)
    key.fileobj.close()
    read(answer, bytes(received))
    return 1


def read(answer, received):
    """Understands an answer that the end of its connection ends."""
    answer.done = time.monotonic_ns()
    head, _, body = received.partition(b"\r\n\r\n")
    answer.head = head.decode("latin-1")
    if "transfer-encoding: chunked" in answer.head.lower():
        body = b"".join(chunks(body))
    answer.status = int(answer.head.split(" ", 2)[1]) if answer.head.startswith("HTTP/") else 0
    answer.body = body
    return answer


def chunks(body):
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        yield rest[:length]
        body = rest[length + 2:]
