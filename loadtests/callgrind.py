"""Reads what callgrind and DHAT write, and says where the cost of one request is.

Costs are differences of two runs, of N and 2N requests, so that starting and ending cancel out. Callgrind knows the
instructions of each address; the compiler's line tables know which functions were inlined there, so that a function's
share can be told even where it has no symbol left.
"""

import collections
import json
import re
import subprocess

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
CALL_COUNT = re.compile(r"calls=(\d+)")


class Profile:
    """One callgrind.out: instructions in all, by place, and of calls made there. A place is (object, symbol, address)."""

    def __init__(self, path):
        self.total = 0
        self.own = collections.Counter()
        self.called = collections.Counter()
        self.allocations = 0
        names = {}
        where = {"ob": "", "fn": ""}
        callee, in_call = "", False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                line = line.rstrip("\n")
                if not line:
                    continue
                if line.startswith("0x"):
                    address, _line, cost = line.split(" ")
                    place = (where["ob"], where["fn"], int(address, 16))
                    (self.called if in_call else self.own)[place] += int(cost)
                    in_call = False
                elif line.startswith("calls="):
                    in_call = True
                    # Glibc's allocator calling itself is one allocation, not two.
                    if callee in ALLOCATORS and "libc" not in where["ob"]:
                        self.allocations += int(CALL_COUNT.match(line).group(1))
                elif line.startswith(("totals:", "summary:")):
                    self.total = int(line.split(":")[1])
                else:
                    key, _, value = line.partition("=")
                    # Files are numbered apart from functions and objects, and not needed.
                    if key in ("ob", "fn", "cob", "cfn"):
                        name = resolve(names, key[-2:], value)
                        if key in where:
                            where[key] = name
                        elif key == "cfn":
                            callee = name


def resolve(names, kind, text):
    """`(12) name` gives a name a number, `(12)` is that name."""
    number, _, name = text.partition(" ")
    if name:
        names[kind, number] = name
    return names.get((kind, number), text)


def difference(more, less):
    """What is in `more` beyond `less`, by place."""
    result = collections.Counter(more)
    result.subtract(less)
    return {place: cost for place, cost in result.items() if cost}


class Inlining:
    """The functions at an address of a program, the innermost first: [(function, file, line)]."""

    def __init__(self, program, addresses, bias):
        asked = sorted(addresses)
        text = "\n".join(hex(address - bias) for address in asked)
        said = subprocess.run(["llvm-addr2line", "-i", "-f", "-C", "-a", "-e", program], input=text,
                              capture_output=True, text=True, check=True).stdout.split("\n")
        self.chains, chain = {}, None
        numbered = iter(asked)
        index = 0
        while index < len(said):
            if said[index].startswith("0x"):
                chain = self.chains[next(numbered)] = []
                index += 1
            elif index + 1 < len(said):
                file, _, line = said[index + 1].rpartition(":")
                chain.append((plain(said[index]), file, line.split(" ")[0]))
                index += 2
            else:
                index += 1


def plain(function):
    """A symbol without its hash."""
    return re.sub(r"::h[0-9a-f]{16}$", "", function)


def bias(profile, program):
    """By how much addresses differ from those in the file: where `main` is, compared."""
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    main = next(int(line.split()[0], 16) for line in symbols.split("\n") if line.endswith(" T main"))
    return min(address for (_, symbol, address) in profile.own if symbol == "main") - main


def room(file):
    """`gateway/src/conn/line.rs` of a path in the tree; None of a library's."""
    found = re.search(r"/((?:gateway|config|revive)/src/.*)$", file)
    return found and found.group(1)


def crate(file):
    """The library that a path belongs to."""
    if room(file):
        return "ours"
    found = re.search(r"/registry/src/[^/]*/(.*?)-\d[^/]*/", file)
    if found:
        return found.group(1)
    return "std" if "/library/" in file or "/rustc/" in file else "other"


def crates(own, inlining, program, requests):
    """Instructions of one request by library. What std does inline counts for whoever called it."""
    shares = collections.Counter()
    for (binary, symbol, address), cost in own.items():
        if binary != program:
            name = binary.rsplit("/", 1)[-1]
            kind = "allocator" if re.match(r"(_int_|__libc_)?(malloc|free|realloc|calloc|unlink)", symbol) else ""
            kind = kind or ("memcpy and the like" if re.match(r"_*(mem|str|rawmem)", symbol) else "")
            shares[f"{name}: {kind}" if kind else name] += cost
            continue
        chain = [crate(file) for _, file, _ in inlining.chains.get(address, [])]
        shares[next((name for name in chain if name not in ("std", "other")), "std")] += cost
    return {name: cost / requests for name, cost in shares.most_common() if cost >= requests}


def functions(own, called, inlining, requests):
    """Our functions: (instructions of one request in all, own with inlined libraries, name, room)."""
    inclusive, exclusive, rooms = collections.Counter(), collections.Counter(), {}
    for costs, with_own in ((own, True), (called, False)):
        for (_, _, address), cost in costs.items():
            seen = set()
            for function, file, _ in inlining.chains.get(address, []):
                place = room(file)
                if not place:
                    continue
                if not seen and with_own:
                    exclusive[function] += cost
                if function not in seen:
                    inclusive[function] += cost
                    rooms[function] = place
                seen.add(function)
    return [(cost / requests, exclusive[name] / requests, name, rooms[name])
            for name, cost in inclusive.most_common()]


def lines(own, inlining, requests):
    """Our lines by what they cost, libraries inlined there included, calls not."""
    shares = collections.Counter()
    for (_, _, address), cost in own.items():
        for _, file, line in inlining.chains.get(address, []):
            if room(file):
                shares[f"{room(file)}:{line}"] += cost
                break
    return [(cost / requests, place) for place, cost in shares.most_common()]


def heap(more, less, requests):
    """Allocations of one request by who asked, from two runs of DHAT: [(blocks, bytes, the nearest frames)]."""
    totals = {}
    for path, sign in ((more, 1), (less, -1)):
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        for point in said["pps"]:
            # Addresses move between runs; names do not.
            frames = tuple(re.sub(r"^0x[0-9A-F]+: ", "", said["ftbl"][frame]) for frame in point["fs"])
            blocks, size = totals.get(frames, (0, 0))
            totals[frames] = (blocks + sign * point["tbk"], size + sign * point["tb"])
    found = [(blocks / requests, size / requests, frames) for frames, (blocks, size) in totals.items()]
    return sorted((entry for entry in found if entry[0] > 0.05), reverse=True)
