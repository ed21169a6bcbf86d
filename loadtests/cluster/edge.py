"""Both halves as processes of this machine, with certificates, a GatewayClass and a namespace of their own."""

import calendar
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import client
from api import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
HALVES = ("revive", "gateway")


class Edge:
    """Ends with its `with`; what it has made goes with it."""

    def __init__(self, api, name, program, log="info", settings=""):
        self.api, self.name, self.program, self.log = api, name, program, log
        self.children, self.settings = {}, settings

    def __enter__(self):
        self.kept = tempfile.TemporaryDirectory(prefix="loco-edge-cluster-")
        self.directory = pathlib.Path(self.kept.name)
        self.listen, self.link, *admins = [("127.0.0.1", port) for port in free_ports(4)]
        self.admins = dict(zip(HALVES, admins))
        try:
            certificates(self.directory)
            settings = f'region = "test"\nenvironment = "bench"\n{self.settings}'
            (self.directory / "loco-edge.toml").write_text(settings)
            self.objects()
            self.begin_both()
            until(30, "the link", lambda: self.figure("gateway", "loco_edge_link_attached"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end_both()
        self.api.delete(f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{self.name}")
        self.api.delete(f"/api/v1/namespaces/{self.name}")
        self.kept.cleanup()

    def objects(self):
        crds = ROOT / "charts/loco-edge/crds"
        subprocess.run(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", crds], check=True,
                       stdout=subprocess.DEVNULL)
        group = "/apis/gateway.networking.k8s.io/v1"
        self.api.create("/api/v1/namespaces", {"metadata": {"name": self.name}})
        self.api.create(f"{group}/gatewayclasses", {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": self.name},
            "spec": {"controllerName": f"edge.loco.io/{self.name}"}})
        self.api.create(f"{group}/namespaces/{self.name}/gateways", {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"},
            "spec": {"gatewayClassName": self.name, "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]}})

    def begin_both(self):
        self.begin("revive", [f"--link={shown(self.link)}"])
        self.begin("gateway", [f"--listen=80={shown(self.listen)}", f"--revive={shown(self.link)}", "--state=state"])

    def end_both(self):
        for child in reversed(self.children.values()):
            child.send_signal(signal.SIGTERM)
        for child in self.children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
        self.children = {}

    def restart(self):
        self.end_both()
        self.begin_both()

    @staticmethod
    def may_put_to_sleep():
        """A new leader puts nobody to sleep for 12 s."""
        time.sleep(12)

    def begin(self, half, arguments):
        output = open(self.directory / f"{half}.log", "ab")
        words = [self.program, half, *arguments, f"--admin={shown(self.admins[half])}", "--config=loco-edge.toml",
                 f"--tls-cert={half}.crt", f"--tls-key={half}.key", "--tls-ca=ca.crt"]
        variables = {**os.environ, "LOCO_EDGE_LOG": self.log, "POD_NAMESPACE": self.name,
                     "LOCO_EDGE__KUBERNETES__CONTROLLER": f"edge.loco.io/{self.name}"}
        child = subprocess.Popen(words, cwd=self.directory, env=variables, stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=output)
        self.children[half] = child
        until(60, f"{half} is ready", lambda: self.ready(half))

    def ready(self, half):
        if self.children[half].poll() is not None:
            raise SystemExit(f"{half} has ended:\n{self.logged(half)[-2000:]}")
        try:
            return self.admin("GET", "/readyz", half).status == 200
        except OSError:
            return False

    def admin(self, method, path, half="revive"):
        return client.ask(self.admins[half], shown(self.admins[half]), method, path)

    def ask(self, host, path="/"):
        return client.ask(self.listen, host, path=path)

    def sleep(self, app, depth):
        """Puts `NAMESPACE/NAME` to sleep; again while it is busy with what has just ended."""
        path = f"/v1/apps/{app.replace('/', '%2F')}/sleep?depth={depth}"
        last = None

        def told():
            nonlocal last
            last = self.admin("POST", path)
            return last.status == 200

        try:
            until(60, f"{app} sleeps", told, pause=0.1)
        except SystemExit as error:
            raise SystemExit(f"{error}: {last.body.decode()}") from None

    def figure(self, half, name, labels=""):
        """The sum of a figure's samples."""
        text = self.admin("GET", "/metrics", half).body.decode()
        pattern = re.compile(rf"^{name}(\{{[^}}]*{labels}[^}}]*\}})? (\S+)", re.M)
        return sum(float(value) for _, value in pattern.findall(text))

    def figures(self, half, name):
        """A figure's samples, by their labels."""
        text = self.admin("GET", "/metrics", half).body.decode()
        return {labels: float(value) for labels, value in re.findall(rf"^{name}\{{([^}}]*)\}} (\S+)", text, re.M)}

    def logged(self, half):
        return (self.directory / f"{half}.log").read_text(errors="replace")

    def sent(self):
        """Requests to the API server: what (monotonic ns, verb, path), as revive's log has them (`log` with debug)."""
        offset = time.time_ns() - time.monotonic_ns()
        for line in self.logged("revive").splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            fields = said.get("fields", said)
            if fields.get("message") == "asks the API server":
                yield nanoseconds(said["timestamp"]) - offset, fields["verb"], fields["path"]

    def usage(self):
        """Of each half: resident MiB now, the most since `forget_peak`, CPU seconds of each thread."""
        return {half: usage(child.pid) for half, child in self.children.items()}

    def forget_peak(self):
        for child in self.children.values():
            pathlib.Path(f"/proc/{child.pid}/clear_refs").write_text("5")


def usage(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    mib = {key: int(re.search(rf"^{key}:\s+(\d+)", status, re.M)[1]) / 1024 for key in ("VmRSS", "VmHWM")}
    # Exact, where stat(5) counts ticks of 10 ms.
    threads = {thread.name: int((thread / "schedstat").read_text().split()[0]) / 1e9
               for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()}
    return {"mib": mib["VmRSS"], "peak": mib["VmHWM"], "threads": threads}


def cpu(before, after):
    """CPU seconds between two looks at a process, of the threads that are still there."""
    return sum(spent - before["threads"].get(thread, 0) for thread, spent in after["threads"].items())


def nanoseconds(timestamp):
    """Of `2026-01-01T00:00:00.123456Z`."""
    whole, _, part = timestamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 10 ** 9 + int(part.ljust(9, "0")[:9])


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def shown(address):
    return f"{address[0]}:{address[1]}"


def certificates(directory):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    openssl(*new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=loco-edge-bench")
    for half in HALVES:
        openssl(*new, "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", f"{half}.key", "-out", f"{half}.crt",
                "-subj", f"/CN={half}", "-addext", f"subjectAltName=DNS:{half}.edge.loco.io",
                "-addext", "basicConstraints=critical,CA:FALSE")
