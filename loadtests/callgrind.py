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
MOVES = re.compile(r"_*mem(cpy|move|set)_")
CALL_COUNT = re.compile(r"calls=(\d+)")


class Profile:
    """One callgrind.out: instructions in all, by place, of calls made there, and of those of them that move or clear
    memory. A place is (object, symbol, address)."""

    def __init__(self, path):
        self.total = 0
        self.own = collections.Counter()
        self.called = collections.Counter()
        self.moved = collections.Counter()
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
                    if in_call and MOVES.match(callee):
                        self.moved[place] += int(cost)
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

    def own_of(self, part):
        """Instructions of functions whose names have this in them."""
        return sum(cost for (_, symbol, _), cost in self.own.items() if part in symbol)


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


MANGLED = [("_$u7b$$u7b$closure$u7d$$u7d$", "{closure}"), ("_$LT$", "<"), ("$LT$", "<"), ("$GT$", ">"), ("$u20$", " "),
           ("$C$", ","), ("$RF$", "&"), ("..", "::")]


def plain(function):
    """A symbol as people read it, without its hash and with its types cut short."""
    function = re.sub(r"(::h[0-9a-f]{16})?( \(?\.llvm\..*)?$", "", function)
    for mangled, meant in MANGLED:
        function = function.replace(mangled, meant)
    return function if len(function) <= 80 else function[:79] + "…"


def main_of(program):
    """Where `main` is in a program's file."""
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in symbols.split("\n") if line.endswith(" T main"))


def bias(profiles, main):
    """By how much addresses differ from those in the file, from the threads of one run: one of them has `main`."""
    return min(address for profile in profiles for (_, symbol, address) in profile.own if symbol == "main") - main


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
    inclusive, exclusive = collections.Counter(), collections.Counter()
    for costs, with_own in ((own, True), (called, False)):
        for (_, _, address), cost in costs.items():
            chain = [(name, room(file)) for name, file, _ in inlining.chains.get(address, []) if room(file)]
            # Closures have no names of their own, so only the room tells them apart.
            for function in set(chain):
                inclusive[function] += cost
            if chain and with_own:
                exclusive[chain[0]] += cost
    return [(cost / requests, exclusive[key] / requests, *key) for key, cost in inclusive.most_common()]


def lines(own, inlining, requests):
    """Our lines by what they cost, libraries inlined there included, calls not."""
    shares = collections.Counter()
    for (_, _, address), cost in own.items():
        for _, file, line in inlining.chains.get(address, []):
            if room(file):
                shares[f"{room(file)}:{line}"] += cost
                break
    return [(cost / requests, place) for place, cost in shares.most_common()]


def moves(moved, inlining, requests):
    """Instructions spent moving or clearing memory, by the frames nearest to it that are not std's."""
    shares = collections.Counter()
    for (_, symbol, address), cost in moved.items():
        shares[told(inlining.chains.get(address, [])) or plain(symbol)] += cost
    return [(cost / requests, by) for by, cost in shares.most_common()]


def told(chain):
    """The two innermost frames that are not std's."""
    telling = [f"{function} ({file.rsplit('/', 1)[-1]}:{line})" for function, file, line in chain
               if crate(file) not in ("std", "other")]
    return " ← ".join(telling[:2])


def heap(more, less, requests, program, main):
    """Allocations of one request by who asked, from two runs of DHAT: [(blocks, bytes, the nearest frames)]. `main` is
    where that is in the program's file."""
    totals, shift = collections.defaultdict(lambda: [0, 0]), 0
    for path, sign in ((more, 1), (less, -1)):
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        seen = next(frame for frame in said["ftbl"] if ": main (" in frame)
        shift = (int(seen.split(":")[0], 16) - main) & ~0xFFF
        for point in said["pps"]:
            frames = [said["ftbl"][frame] for frame in point["fs"]]
            # An address stands once for each function that is inlined there.
            places = tuple(dict.fromkeys(int(frame.split(":")[0], 16) for frame in frames if frame.startswith("0x")))
            totals[places][0] += sign * point["tbk"]
            totals[places][1] += sign * point["tb"]
    found = {places: total for places, total in totals.items() if total[0] > requests / 20}
    inlining = Inlining(program, {place for places in found for place in places if place >= shift}, shift)
    chain = lambda places: [frame for place in places for frame in inlining.chains.get(place, [])]
    entries = [(blocks / requests, size / requests, told(chain(places))) for places, (blocks, size) in found.items()]
    return sorted(entries, reverse=True)
