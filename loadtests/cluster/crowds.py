"""Many apps or many requests at once, an image that is not there, and what it costs to do nothing."""

import socket
import threading
import time

import apps
import client
import figures
from api import until
from edge import Edge, cpu
from timeline import PORT, Seen

# A tenant may have a quarter of all wakes at once: the apps of a platform are of many.
NAMESPACES = 5
LIMIT = 180
UNPULLABLE = "loco.test/there-is-no-such-image:1"


class Fleet:
    """Sleeping apps, over several tenants' namespaces; gone with its `with`."""

    def __init__(self, api, edge, name, size, image, spread=NAMESPACES):
        self.api, self.edge, self.image = api, edge, image
        self.namespaces = [f"{name}-{number}" for number in range(min(spread, size))]
        self.places = [(self.namespaces[number % len(self.namespaces)], f"app-{number}") for number in range(size)]
        self.hosts = [f"{app}.{where}.test" for where, app in self.places]

    def __enter__(self):
        try:
            for where in self.namespaces:
                apps.namespace(self.api, where)
                apps.policy(self.api, where)
            apps.each(lambda at: apps.make(self.api, at[0], apps.deployment(at[1], self.image, 0, True), self.edge.name,
                                           f"{at[1]}.{at[0]}.test"), self.places)
            until(LIMIT, "all apps are known and asleep", self.all_asleep, pause=0.3)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        apps.gone(self.api, self.namespaces)

    def all_asleep(self):
        listed = self.edge.admin("GET", "/v1/apps").json()["apps"]
        asleep = {app["id"] for app in listed if app["state"] == "asleep"}
        return asleep >= {f"{where}/{app}" for where, app in self.places}

    def sleep(self):
        """All, by the edge; then no pod is left."""
        apps.each(lambda at: self.edge.sleep(f"{at[0]}/{at[1]}", "light"), self.places)
        self.until_no_pods()

    def scale(self, replicas):
        apps.each(lambda at: apps.scale(self.api, *at, replicas), self.places)

    def until_no_pods(self):
        until(LIMIT, "no pods are left", lambda: not any(apps.pods(self.api, where) for where in self.namespaces), pause=0.3)
        apps.settle(2)


def run(api, program, image, sizes, rounds):
    found = {}
    with Edge(api, "bench-crowds", program) as edge:
        edge.may_put_to_sleep()
        for size in sizes:
            with Fleet(api, edge, f"bench-crowd-{size}", size, image) as fleet:
                found[str(size)] = at_once(fleet, rounds)
            print(f"{size} apps: {found[str(size)]}", flush=True)
    return {"rounds": rounds, "image": image, "namespaces": NAMESPACES, "sizes": found}


def at_once(fleet, rounds):
    """Through the edge and without it, by turns. Without: they are scaled under its eyes, and nobody asks it for any."""
    seconds, answered = {"edge": [], "floor": []}, 0
    for turn in range(rounds):
        for way in sorted(seconds, reverse=turn % 2 == 1):
            if way == "edge":
                begun = time.monotonic_ns()
                answers = client.crowd(fleet.edge.listen, fleet.hosts, LIMIT)
                answered += sum(answer.status == 200 for answer in answers)
                seconds[way] += [(answer.first - begun) / 1e9 for answer in answers if answer.status == 200]
                for answer in answers:
                    if answer.status != 200:
                        print(answer.status, answer.body[:200], flush=True)
            else:
                seconds[way] += by_hand(fleet)
            fleet.sleep()
    each = {way: figures.spread(values) for way, values in seconds.items()}
    return {**each, "ratio": round(each["edge"]["p50"] / each["floor"]["p50"], 3),
            "answered": f"{answered} of {rounds * len(fleet.places)}"}


def by_hand(fleet):
    """Seconds until each app's pod takes a connection, all of them scaled to 1 at once."""
    begun = time.monotonic()
    seen = [Seen(fleet.api, where) for where in fleet.namespaces]
    try:
        fleet.scale(1)
        taken = []
        while len(taken) < len(fleet.places):
            if time.monotonic() - begun > LIMIT:
                raise SystemExit(f"{len(taken)} of {len(fleet.places)} pods are up")
            taken += [time.monotonic() - begun for each in seen for name in newly(each)]
            time.sleep(0.003)
        return taken
    finally:
        for each in seen:
            each.__exit__()


def newly(seen):
    """Apps that take a connection, and have not been counted."""
    for name, address in list(seen.address.items()):
        if not address:
            continue
        try:
            socket.create_connection((address, PORT), 0.05).close()
        except OSError:
            continue
        seen.address[name] = None
        yield name


def storm(api, program, image, requests):
    with Edge(api, "bench-storm", program) as edge:
        edge.may_put_to_sleep()
        with Fleet(api, edge, "bench-storm-app", 1, image) as fleet:
            where, names = fleet.namespaces[0], set()
            before = edge.usage()
            edge.forget_peak()
            with api.watch(f"/api/v1/namespaces/{where}/pods", lambda _, pod, __: names.add(pod["metadata"]["uid"])):
                answers = client.crowd(edge.listen, fleet.hosts * requests, LIMIT)
            after = edge.usage()
            listed = edge.admin("GET", "/v1/apps").json()["apps"]
            return {
                "requests": requests, "answered": sum(answer.status == 200 for answer in answers), "pods": len(names),
                "states": sorted({app["state"] for app in listed}),
                "seconds": round(max(answer.first - answer.sent for answer in answers) / 1e9, 3),
                "halves": {half: {"mib": {"before": before[half]["mib"], "peak": after[half]["peak"],
                                          "after": after[half]["mib"]}} for half in before}}


def unpullable(api, program, image):
    with Edge(api, "bench-unpullable", program) as edge:
        edge.may_put_to_sleep()
        with Fleet(api, edge, "bench-unpullable-app", 1, UNPULLABLE) as fleet:
            where, said = fleet.namespaces[0], []
            with api.watch(f"/api/v1/namespaces/{where}/pods", lambda _, pod, now: said.extend(
                    now for status in pod["status"].get("containerStatuses", [])
                    if status["state"].get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff"))):
                answers = [edge.ask(fleet.hosts[0]) for _ in range(2)]
    rows = []
    for number, answer in enumerate(answers):
        body = answer.json() if answer.body.startswith(b"{") else {}
        rows.append({"request": number + 1, "status": answer.status, "code": body.get("code") or body.get("type") or "-",
                     "ms": round(answer.took, 2),
                     "after_kubelet_ms": round((answer.first - said[0]) / 1e6, 2) if said and not number else None})
    return {"requests": rows}


def rest(api, program, image, size, seconds):
    with Edge(api, "bench-rest", program) as edge:
        edge.may_put_to_sleep()
        with Fleet(api, edge, "bench-rest-app", size, image):
            time.sleep(15)
            return {"apps": size, **at_rest(edge, seconds)}


def at_rest(edge, seconds):
    before, sent = edge.usage(), edge.figures("revive", "loco_edge_kubernetes_sent_total")
    begun = time.monotonic()
    time.sleep(seconds)
    after, since = edge.usage(), edge.figures("revive", "loco_edge_kubernetes_sent_total")
    took = time.monotonic() - begun
    asked = {labels: since[labels] - sent.get(labels, 0) for labels in since if since[labels] > sent.get(labels, 0)}
    return {
        "seconds": round(took, 1),
        "halves": {half: {"mib": round(after[half]["mib"], 2),
                          "cpu_percent": round(cpu(before[half], after[half]) / took * 100, 4)} for half in after},
        "requests_per_second": round(sum(asked.values()) / took, 3),
        "requests": ", ".join(f"{named(labels)} {count:.0f}" for labels, count in sorted(asked.items()))}


def named(labels):
    """`verb="patch",resource="leases"` as `patch leases`."""
    return " ".join(value.split("=")[1].strip('"') for value in labels.split(","))


class Rate:
    """The most that a figure has grown by in one second, looked at four times in each; until its `with` ends."""

    def __init__(self, figure):
        self.figure, self.ended, self.at = figure, threading.Event(), []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def run(self):
        while not self.ended.wait(0.25):
            self.at.append((time.monotonic(), self.figure()))

    def most(self):
        return max((after - before for (then, before), (now, after) in zip(self.at, self.at[4:]) if now - then < 2), default=0)
