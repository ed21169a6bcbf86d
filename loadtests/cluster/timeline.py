"""Where the time of a wake goes, step by step: through the edge, and by a plain client that does the same, turn by turn."""

import socket
import threading
import time

import apps
import client
import figures
from api import until
from edge import Edge

# name, depth, whether a service account's token is mounted, readiness probe
SCENARIOS = (
    ("replicas 0, no token", "light", False, apps.PROMPT),
    ("replicas 0, token", "light", True, apps.PROMPT),
    ("deep sleep, no token", "deep", False, apps.PROMPT),
    ("deep sleep, token", "deep", True, apps.PROMPT),
    ("replicas 0, no token, ready only after 15 s", "light", False, apps.LATE),
)
PORT = 8080
LIMIT = 60


class Seen:
    """When a namespace's objects came to be so, for the first time since `forget`; nanoseconds of CLOCK_MONOTONIC."""

    def __init__(self, api, where):
        self.where, self.lock = where, threading.Lock()
        self.pods, self.stamps, self.address = {}, {}, {}
        self.watches = [api.watch(f"/api/v1/namespaces/{where}/pods", self.pod),
                        api.watch(apps.deployments(where), self.deployment)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for watch in self.watches:
            watch.__exit__()

    def stamp(self, name, what, now):
        with self.lock:
            self.stamps.setdefault(name, {}).setdefault(what, now)

    def forget(self, name):
        with self.lock:
            self.stamps[name], self.address[name] = {}, None

    def deployment(self, change, workload, now):
        if change != "DELETED" and workload["spec"]["replicas"]:
            self.stamp(workload["metadata"]["name"], "applied", now)

    def pod(self, change, pod, now):
        name, uid = pod["metadata"]["labels"].get("app"), pod["metadata"]["uid"]
        if change == "DELETED":
            return self.pods.pop(uid, None)
        self.pods[uid] = name
        if pod["metadata"].get("deletionTimestamp"):
            return None
        self.stamp(name, "created", now)
        if pod["spec"].get("nodeName"):
            self.stamp(name, "scheduled", now)
        if address := pod["status"].get("podIP"):
            self.address[name] = address
            self.stamp(name, "address", now)
        return None

    def no_pods_of(self, name):
        return name not in self.pods.values()


def run(api, program, image, wakes, only):
    found = {}
    with Edge(api, "bench-timeline", program, log="info,revive::kubernetes::sent=debug") as edge:
        edge.may_put_to_sleep()
        for number, (name, depth, token, probe) in enumerate(SCENARIOS):
            if only and only not in name:
                continue
            where = f"bench-timeline-{number}"
            apps.namespace(api, where)
            try:
                found[name] = scenario(api, edge, where, (image, depth, token, probe), wakes)
            finally:
                apps.gone(api, [where])
            print(f"{name}: {found[name]['edge']['total']}, floor {found[name]['floor']['total']}", flush=True)
    return {"wakes": wakes, "image": image, "scenarios": found}


def scenario(api, edge, where, how, wakes):
    image, depth, token, probe = how
    host = f"{where}.test"
    apps.policy(api, where)
    workload = apps.deployment("floor", image, 1, token, probe)
    apps.make(api, where, workload)
    apps.make(api, where, apps.deployment("edge", image, 1, token, probe), edge.name, host)
    until(LIMIT, "the app is served", lambda: edge.ask(host).status == 200, pause=0.2)
    rows = {"edge": [], "floor": []}
    with Seen(api, where) as seen:
        ways = {"edge": lambda: by_edge(edge, seen, host), "floor": lambda: by_hand(api, seen, workload, depth)}
        for wake in range(-1, wakes):
            # Each is first every other time; the first pair counts for nothing.
            for way in sorted(ways, reverse=wake % 2 == 0):
                down(api, edge, seen, (way, workload, depth))
                row = ways[way]()
                if wake >= 0:
                    rows[way].append(row)
    return {**{way: spread(rows[way]) for way in rows},
            "beyond": {key: round(spread(rows["edge"])["total"][key] - spread(rows["floor"])["total"][key], 2)
                       for key in ("p50", "p95")}}


def down(api, edge, seen, what):
    way, workload, depth = what
    if way == "edge":
        edge.sleep(f"{seen.where}/edge", depth)
    elif depth == "light":
        apps.scale(api, seen.where, "floor", 0)
    else:
        api.call("DELETE", f"{apps.deployments(seen.where, 'floor')}?propagationPolicy=Background")
    until(LIMIT, f"{way} has no pods", lambda: seen.no_pods_of(way))
    apps.settle()
    seen.forget(way)


def by_edge(edge, seen, host):
    answer = edge.ask(host)
    if answer.status != 200:
        raise SystemExit(f"{host}: {answer.status} {answer.body.decode()}")
    until(LIMIT, "the address", lambda: "address" in seen.stamps["edge"], pause=0.002)
    stamps = {**seen.stamps["edge"], **clock(answer), "sent": answer.sent, "first": answer.first}
    verbs = ("patch", "create")
    about = f"/namespaces/{seen.where}/deployments"
    sent = [at for at, verb, path in edge.sent() if verb in verbs and about in path and at > answer.sent - 1e6]
    if sent:
        stamps["decision"] = sent[0]
    return steps(stamps, "first")


def by_hand(api, seen, workload, depth):
    """A plain client: the PATCH or create, a watch, and a port that is dialled until it is open."""
    begun = time.monotonic_ns()
    if depth == "light":
        apps.scale(api, seen.where, "floor", 1)
    else:
        api.call("POST", apps.deployments(seen.where), workload)
    address = (until(LIMIT, "the floor's pod has an address", lambda: seen.address.get("floor"), pause=0.001), PORT)
    until(LIMIT, f"{address} takes connections", lambda: open_now(address), pause=0.001)
    stamps = {**seen.stamps["floor"], "sent": begun, "first": time.monotonic_ns()}
    return steps({**stamps, **clock(client.ask(address, "floor"))}, "first")


def open_now(address):
    try:
        socket.create_connection(address, 0.2).close()
    except OSError:
        return False
    return True


def clock(answer):
    """When the app began, listened and had the request's head, if it tells and is of this machine."""
    try:
        said = answer.json()["clock"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {"started": said["began"], "listening": said["listening"], "request": said["request"]}


def steps(at, end):
    """Milliseconds of each step, from the one before it that is known."""
    row, before = {}, at["sent"]
    for step in ("decision", "applied", "created", "scheduled", "started", "listening"):
        if step in at:
            row[step] = (at[step] - before) / 1e6
            before = at[step]
    row["address"] = (at["address"] - before) / 1e6
    reachable = max(at["address"], at.get("listening", at["address"]))
    if "request" in at and at["request"] <= at[end]:
        row["own"] = (at["request"] - reachable) / 1e6
        row["back"] = (at[end] - at["request"]) / 1e6
    else:
        row["own"] = (at[end] - reachable) / 1e6
    row["total"] = (at[end] - at["sent"]) / 1e6
    return row


def spread(rows):
    return {step: figures.spread([row[step] for row in rows if step in row])
            for step in dict.fromkeys(step for row in rows for step in row)}
