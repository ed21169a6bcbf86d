"""Figures for people and for plots: results/cluster.json, section by section, and results/cluster.md of all of it."""

import datetime
import json
import math
import os
import pathlib
import subprocess

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
KEPT = RESULTS / "cluster.json"


def spread(values):
    """p50, p95 and most of values, by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}

    def quantile(share):
        return round(ordered[max(math.ceil(share * len(ordered)), 1) - 1], 2)

    return {"count": len(ordered), "p50": quantile(0.5), "p95": quantile(0.95), "max": quantile(1)}


def section(name, figures, begun):
    """Keeps a scenario's figures, with when, at which commit, and how busy the machine was."""
    all_of_them = json.loads(KEPT.read_text()) if KEPT.exists() else {"scenario": "cluster"}
    all_of_them[name] = {"commit": commit(), "at": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds"),
                         "cores": os.cpu_count(), "load_average": {"before": begun, "after": load()}, **figures}
    KEPT.write_text(json.dumps(all_of_them, indent=2) + "\n")
    (RESULTS / "cluster.md").write_text(markdown(all_of_them))


def load():
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)


def commit():
    """The last commit that changed what is measured; `+` where there are changes in it that are not committed."""
    scope = ["--", ":/", ":!/loadtests", ":!/docs"]

    def git(*words):
        return subprocess.run(["git", *words, *scope], cwd=RESULTS, capture_output=True, text=True).stdout.strip()

    return git("log", "-1", "--format=%h", "--abbrev=12") + ("+" if git("status", "--porcelain") else "")


def two(figures, key="p95"):
    """`p50 / p95`."""
    return f"{shown(figures.get('p50'))} / {shown(figures.get(key))}" if figures.get("count") else "-"


def shown(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def markdown(found):
    parts = ["# On a cluster\n\nMade by `loadtests/cluster/run`; [what each figure is](../README.md#on-a-cluster). Wall-clock times of a machine that is "
             "shared with the cluster itself: compare the edge with the floor of the same run.\n"]
    for name, said in (("timeline", timeline), ("crowds", crowds), ("storm", storm), ("unpullable", unpullable),
                       ("rest", rest), ("scale", scale)):
        if name in found:
            figures = found[name]
            average = figures["load_average"]
            parts.append(said(figures) + f"\nCommit {figures['commit']}, {figures['at']}, {figures['cores']} cores, load average "
                         f"{average['before']} before and {average['after']} after.\n")
    return "\n".join(parts)


PARTS = (("decision", "request → revive sends the PATCH or create", "ours"),
         ("applied", "→ done, as a watch sees it", "API server"),
         ("created", "→ pod created", "controllers"),
         ("scheduled", "→ scheduled", "scheduler"),
         ("started", "→ the app's process begins", "kubelet, runtime"),
         ("listening", "→ its port is open", "app"),
         ("address", "→ its address is in the API", "kubelet"),
         ("own", "both → the request's head at the app", "ours"),
         ("back", "→ first byte at the client", "app, ours"),
         ("total", "**in all**", ""))


def timeline(figures):
    parts = ["## Time line of a wake\n\nMilliseconds, p50 / p95. *Floor*: a plain client does the same PATCH or create, in the same "
             "run, turn by turn, until TCP connects.\n"]
    for name, both in figures["scenarios"].items():
        edge, floor = both["edge"], both["floor"]
        rows = [[label, whose, two(edge[key]) if key in edge else "", two(floor[key]) if key in floor else ""]
                for key, label, whose in PARTS]
        beyond = both["beyond"]
        parts.append(f"### {name} ({edge['total']['count']} wakes)\n\n" + table(["step", "whose", "edge", "floor"], rows)
                     + f"\nEdge − floor: p50 {shown(beyond['p50'])} ms, p95 {shown(beyond['p95'])} ms.\n")
    return "\n".join(parts)


def crowds(figures):
    rows = [[size, two(each["edge"], "max"), two(each["floor"], "max"), f"{each['ratio']:.2f}", each["answered"]]
            for size, each in figures["sizes"].items()]
    return "## Many apps at once\n\nSeconds, p50 / max, from the first request or PATCH.\n\n" + table(
        ["apps", "edge: first byte", "floor: TCP connects", "p50 edge / floor", "answered"], rows)


def storm(figures):
    rows = [[half, *(shown(value["mib"][when]) for when in ("before", "peak", "after"))]
            for half, value in figures["halves"].items()]
    return (f"## {figures['requests']} requests to one sleeping app\n\n{figures['answered']} answered with 200, "
            f"{figures['pods']} pod; the last after {shown(figures['seconds'])} s. MiB:\n\n" + table(["", "before", "peak", "after"], rows))


def unpullable(figures):
    rows = [[each["request"], each["status"], each["code"], shown(each["ms"]), shown(each["after_kubelet_ms"])]
            for each in figures["requests"]]
    return "## An image that cannot be pulled\n\n" + table(
        ["request", "status", "code", "answered after, ms", "after the kubelet said so, ms"], rows)


def rest(figures):
    rows = [[half, shown(value["mib"]), f"{value['cpu_percent']:.3f}"] for half, value in figures["halves"].items()]
    return (f"## At rest, {figures['apps']} apps asleep\n\nOver {figures['seconds']} s; API requests per second: "
            f"{figures['requests_per_second']:.2f} ({figures['requests']}).\n\n" + table(["", "MiB", "% of a core"], rows))


def scale(figures):
    rows = [[half, *(shown(value["mib"][when]) for when in ("empty", "full", "storm"))]
            for half, value in figures["halves"].items()]
    at_rest, woken = figures["rest"], figures["storm"]
    return (f"## {figures['apps']} apps\n\nAll asleep, in {figures['namespaces']} namespaces; pods of fake nodes (kwok).\n\n"
            + table(["MiB", "no app", "all", "peak of the storm"], rows) + "\n"
            + table(["", ""], [
                ["an HTTPRoute changed → served, ms, p50 / p95", two(figures["change"])],
                ["edge restarted → all apps served, s", shown(figures["start_seconds"])],
                [f"API requests/s at rest, {at_rest['seconds']} s", f"{at_rest['requests_per_second']:.2f} ({at_rest['requests']})"],
                ["CPU at rest, % of a core", ", ".join(f"{half} {value:.2f}" for half, value in at_rest["cpu_percent"].items())],
                [f"storm: {woken['apps']} apps asked at once", f"{woken['answered']} answered, s p50 / max {two(woken['seconds'], 'max')}"],
                ["API requests in it, all and for each app", f"{woken['requests']:.0f}, {woken['requests'] / woken['apps']:.1f}"],
                ["which", ", ".join(f"{what} {count:.0f}" for what, count in sorted(woken["what"].items()))],
                ["most in one second", f"{woken['most_per_second']:.0f}"]]))
