"""Thousands of apps: nodes and pods that exist only in the API (kwok), and one program here that answers for all of them."""

import contextlib
import ipaddress
import os
import pathlib
import socket
import subprocess
import tempfile
import time

import apps
import client
import crowds
import figures
from api import until
from edge import Edge, free_ports

NODE = "bench-fake"
STAGES = pathlib.Path(__file__).with_name("kwok.yaml")
EACH = 100
CHANGES = 20
LIMIT = 900
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes"


def run(api, program, asked):
    size = asked.apps or 2000
    with contextlib.ExitStack() as kept:
        edge = kept.enter_context(Edge(api, "bench-scale", program))
        port = kept.enter_context(answering(pathlib.Path(program).parent / "test-app"))
        kept.enter_context(fake_node(api, asked.addresses))
        time.sleep(12)
        empty = edge.usage()
        where = [f"bench-scale-{number}" for number in range(-(-size // EACH))]
        kept.callback(apps.gone, api, where, LIMIT)
        hosts = fill(api, edge, (where, size, port))
        made = edge.usage()
        restarted, started = begin_again(edge)
        time.sleep(20)
        full = edge.usage()
        change = changes(api, edge)
        rest = crowds.at_rest(edge, asked.seconds)
        storm, peak = woken(edge, hosts, min(asked.woken, size))
    cpu = {half: each["cpu_percent"] for half, each in rest.pop("halves").items()}
    return {
        "apps": size, "namespaces": len(where), "change": change, "rest": {**rest, "cpu_percent": cpu}, "storm": storm,
        "start_seconds": round(started, 2), "ready_seconds": round(restarted, 2),
        "halves": {half: {"mib": {"empty": empty[half]["mib"], "made": made[half]["mib"], "full": full[half]["mib"],
                                  "storm": peak[half]["peak"]}} for half in full}}


@contextlib.contextmanager
def answering(program):
    """One app at a port of all addresses of this machine: that of every fake pod."""
    port, = free_ports(1)
    child = subprocess.Popen([program], env={**os.environ, "BIND": "0.0.0.0", "PORT": str(port)}, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        child.terminate()
        child.wait(10)


@contextlib.contextmanager
def fake_node(api, addresses):
    """A node with room for all, whose pods run at once."""
    room = {"cpu": "1000", "memory": "4Ti", "pods": "10000"}
    host = str(next(ipaddress.ip_network(addresses).hosts()))
    with socket.socket() as held:
        try:
            held.bind((host, 0))
        except OSError:
            raise SystemExit(f"{host} is no address of this machine: see --addresses") from None
    server = free_ports(1)[0]
    words = ["kwok", "--config", STAGES, "--manage-nodes-with-label-selector", f"bench={NODE}", "--cidr", addresses,
             "--node-lease-duration-seconds", "40", "--server-address", f"127.0.0.1:{server}"]
    log = tempfile.TemporaryFile("w+")
    child = subprocess.Popen(words, stdout=log, stderr=log)
    api.create("/api/v1/nodes", {
        "metadata": {"name": NODE, "labels": {"bench": NODE}},
        "spec": {"podCIDR": addresses, "podCIDRs": [addresses],
                 "taints": [{"key": "bench", "value": NODE, "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room}})

    def ready():
        if child.poll() is not None:
            log.seek(0)
            raise SystemExit(f"kwok has ended: {log.read()[-1000:]}")
        conditions = api.get(f"/api/v1/nodes/{NODE}")["status"].get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    try:
        until(60, "the fake node is ready", ready, pause=0.3)
        yield
    finally:
        api.delete(f"/api/v1/nodes/{NODE}")
        child.terminate()
        child.wait(20)


def fill(api, edge, what):
    """Makes the apps and waits until the edge knows them all and finds them asleep; their hosts."""
    where, size, port = what
    for namespace in where:
        apps.namespace(api, namespace)
        apps.policy(api, namespace)
    pod = {"nodeSelector": {"bench": NODE}, "tolerations": [{"key": "bench", "operator": "Exists"}]}

    def make(number):
        name, namespace = f"app-{number}", where[number // EACH]
        workload = apps.deployment(name, "loco.test/fake:1", 0, port=port, **pod)
        apps.make(api, namespace, workload, edge.name, f"{name}.scale.test")
        return f"{name}.scale.test"

    hosts = apps.each(make, range(size))
    api.create(ROUTES.format(where[0]), apps.route("changing", edge.name, "changing.scale.test", redirect("/before")))
    print(f"{size} apps are made", flush=True)

    def asleep():
        listed = edge.admin("GET", "/v1/apps").json()["apps"]
        return sum(app["state"] == "asleep" for app in listed) >= size

    until(LIMIT, "all apps are asleep", asleep, pause=1)
    until(60, "the route is served", lambda: served(edge) == "/before", pause=0.1)
    return hosts


def redirect(to):
    """Answered by the gateway itself: what it answers tells which version of the route it has."""
    rule = {"path": {"type": "ReplaceFullPath", "replaceFullPath": to}, "statusCode": 302}
    return [{"filters": [{"type": "RequestRedirect", "requestRedirect": rule}]}]


def served(edge):
    for line in edge.ask("changing.scale.test").head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "location":
            return "/" + value.strip().split("/", 3)[-1]
    return None


def begin_again(edge):
    """Seconds until both halves are ready, and until the gateway serves."""
    begun = time.monotonic()
    edge.restart()
    ready = time.monotonic() - begun
    until(120, "the routes are served", lambda: served(edge), pause=0.02)
    return ready, time.monotonic() - begun


def changes(api, edge):
    """Milliseconds from when a change of a route is sent to the API server until the gateway answers by it."""
    took = []
    for number in range(CHANGES):
        begun = time.monotonic()
        api.patch(ROUTES.format("bench-scale-0") + "/changing", {"spec": {"rules": redirect(f"/{number}")}})
        until(60, "the change is served", lambda number=number: served(edge) == f"/{number}", pause=0.001)
        took.append((time.monotonic() - begun) * 1000)
        time.sleep(0.5)
    return figures.spread(took)


def woken(edge, hosts, count):
    """So many of the sleeping asked at once."""
    edge.forget_peak()

    def sent():
        return sum(edge.figures("revive", "loco_edge_kubernetes_sent_total").values())

    step = max(len(hosts) // count, 1)
    before = edge.figures("revive", "loco_edge_kubernetes_sent_total")
    with crowds.Rate(sent) as rate:
        answers = client.crowd(edge.listen, hosts[::step][:count])
        # What is set right after a wake is a part of it.
        time.sleep(10)
    peak, after = edge.usage(), edge.figures("revive", "loco_edge_kubernetes_sent_total")
    requests = {crowds.named(what): count - before.get(what, 0) for what, count in after.items()}
    refused = {}
    for answer in answers:
        if answer.status != 200:
            why = answer.json().get("code", "") if answer.body.startswith(b"{") else ""
            refused[f"{answer.status} {why}"] = refused.get(f"{answer.status} {why}", 0) + 1
    good = [answer for answer in answers if answer.status == 200]
    return {"apps": count, "answered": len(good), "refused": refused,
            "requests": sum(requests.values()), "what": {what: count for what, count in requests.items() if count},
            "most_per_second": rate.most(), "seconds": figures.spread([answer.took / 1000 for answer in good])}, peak
