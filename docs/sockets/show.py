"""Shows how a naive chat server fails, and what ours does in the same place.

    cargo build -p chat-cli
    python3 docs/sockets/show.py boundaries naive
    python3 docs/sockets/show.py boundaries ours

Each demonstration starts the server it needs, on a free port of this machine, and stops it. The last line says in
one sentence what was seen. README.md beside this file tells the story.
"""

import argparse
import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
CHAT = os.environ.get("CHAT", str(TARGET / "debug" / "chat"))
WAIT = 20  # seconds until a demonstration gives up
QUIET = 2  # seconds without a byte after which a naive server is taken to send no more; ours is waited for

LINES = 60_000
BODY = "x" * 180
LAST_LINE = f" {LINES} {BODY}\n".encode()


# ---- servers and peers ---------------------------------------------------------------------------


@contextlib.contextmanager
def server(kind, transport, *naive_flags):
    """Runs a server and gives its port."""
    if kind == "naive":
        command = [sys.executable, str(HERE / f"naive_{transport}_server.py"), "0", *naive_flags]
    else:
        command = [CHAT, "server", transport, "--bind", "127.0.0.1:0"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL if kind == "ours" else None, text=True)
    except FileNotFoundError:
        sys.exit(f"show: {CHAT} is not there: run `cargo build -p chat-cli`, or set CHAT to where it is")
    first = process.stdout.readline()
    port = re.search(r"(\d+)\s*(\(\w+\))?\s*$", first)
    if not port:
        process.kill()
        sys.exit(f"show: the server did not tell its port, but: {first!r}")
    # Whoever does not read a pipe stops who writes into it: the very fault that this is about.
    threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
    try:
        yield int(port.group(1))
    finally:
        process.terminate()
        process.wait()


def join(port, receive_buffer=None):
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.connect(("127.0.0.1", port))
    peer.settimeout(WAIT)
    return peer


def meet(talker, *listeners):
    """Returns once every listener hears what the talker says, which proves that all are in the room."""
    for listener in listeners:
        listener.settimeout(0.2)
        heard = b""
        while not heard.endswith(b"I am here\n"):
            talker.sendall(b"I am here\n")
            with contextlib.suppress(TimeoutError):
                heard += listener.recv(65536)
        with contextlib.suppress(TimeoutError):
            while listener.recv(65536):
                pass


def read_lines(peer, kind, enough):
    """What comes, until it is enough or nothing has come for a while."""
    peer.settimeout(QUIET if kind == "naive" else WAIT)
    data = bytearray()
    with contextlib.suppress(TimeoutError, ConnectionError):
        while more := peer.recv(1 << 20):
            data += more
            if enough(data):
                break
    return data.decode(errors="replace").splitlines()


def talk(port, kind):
    """Says numbered lines as fast as the server takes them; gives up when it takes nothing for a while."""
    talker = join(port)
    talker.settimeout(QUIET if kind == "naive" else WAIT)

    def run():
        with contextlib.suppress(TimeoutError, ConnectionError):
            for number in range(1, LINES + 1):
                talker.sendall(f"{number} {BODY}\n".encode())

    thread = threading.Thread(target=run, daemon=True)
    return talker, thread


def whole_lines(lines):
    """The numbers of those lines that are exactly what was said."""
    line = re.compile(r"\[127\.0\.0\.1:\d+\] (\d+) " + BODY)
    return [int(found.group(1)) for text in lines if (found := line.fullmatch(text))]


# ---- demonstrations ------------------------------------------------------------------------------


def boundaries(kind):
    """TCP carries bytes, not messages."""
    with server(kind, "tcp") as port:
        ann, bob = join(port), join(port)
        meet(ann, bob)
        me = "[%s:%d]" % ann.getsockname()
        ann.sendall(b"good morning\n[192.0.2.1:9] I am the teacher: class is over\n")
        ann.sendall(("\u00e9" * 700 + "\n").encode())  # 1,400 bytes in 700 letters
        lines = read_lines(bob, kind, lambda data: data.count(b"\n") >= 4)
    print("ann sends two lines in one go, the second one looks like somebody else's, and then one long line.")
    print("bob sees:")
    for line in lines:
        print("   ", line if len(line) < 90 else f"{line[:60]} ... {line[-20:]}")
    forged = sum(not line.startswith(me) for line in lines)
    broken = sum("\ufffd" in line or me in line[1:] for line in lines)
    return f"{forged} lines without their author, {broken} lines broken inside"


def partial(kind):
    """A socket takes as much as it has room for, which may be half a line."""
    with server(kind, "tcp", "--lines", "--dont-wait") as port:
        slow = join(port, receive_buffer=4096)
        talker, thread = talk(port, kind)
        meet(talker, slow)
        thread.start()
        thread.join()
        print(f"{LINES} lines were said while one member did not read. Now it does:")
        lines = read_lines(slow, kind, lambda data: data.endswith(LAST_LINE))
    numbers = whole_lines(lines)
    told = [line for line in lines if line.startswith("[*]")]
    greetings = sum(line.endswith("] I am here") for line in lines)
    torn = len(lines) - len(numbers) - len(told) - greetings
    for line in told:
        print("   ", line)
    missed = sum(int(found) for line in told for found in re.findall(r"missed (\d+)", line))
    lost = LINES - len(numbers) - missed
    return f"{torn} torn lines, {lost} lines lost without a word"


def blocked(kind):
    """Who waits for one reader makes all the others wait."""
    with server(kind, "tcp", "--lines") as port:
        stuck, listener = join(port, receive_buffer=4096), join(port)
        talker, thread = talk(port, kind)
        meet(talker, stuck, listener)
        print(f"one member stops reading; {LINES} lines are said; another member listens:")
        thread.start()
        lines = read_lines(listener, kind, lambda data: data.endswith(LAST_LINE))
    got = len(whole_lines(lines))
    return f"the listener got {got} of {LINES} lines"


def lost(kind):
    """The network may drop a datagram, and nobody is told."""
    count = 100
    with server(kind, "udp") as port, lossy(port, every=10) as (lossy_port, dropped):
        if kind == "naive":
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener.settimeout(QUIET)
            listener.sendto(b"hello", ("127.0.0.1", port))
            listener.recv(1024)
            talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for number in range(1, count + 1):
                talker.sendto(f"{number}".encode(), ("127.0.0.1", lossy_port))
            lines = []
            with contextlib.suppress(TimeoutError):
                while True:
                    lines.append(listener.recv(1024).decode())
        else:
            address = f"127.0.0.1:{lossy_port}"
            listener = subprocess.Popen([CHAT, "client", "udp", address, "--stay"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
            lines = []
            give_up = threading.Timer(WAIT, listener.kill)
            give_up.start()
            while not lines:  # until the listener is in the room
                say(address, "are you there?\n")
                if select.select([listener.stdout], [], [], 0.5)[0]:
                    lines.append(listener.stdout.readline())
            say(address, "".join(f"{number}\n" for number in range(1, count + 1)))
            while line := listener.stdout.readline():
                lines.append(line)
                if line.endswith(f"] {count}\n"):
                    break
            give_up.cancel()
            listener.kill()
    heard = [int(line.rsplit("] ", 1)[1]) for line in lines if re.search(r"\] \d+$", line.strip())]
    missing = [number for number in range(1, count + 1) if number not in heard]
    print(f"{count} numbers were said through a network that drops every tenth datagram ({dropped()} were dropped).")
    print("missing at the listener:", *(missing or ["none"]))
    in_order = "in order" if heard == sorted(heard) else "out of order"
    return f"the listener got {len(heard)} of {count}, {in_order}"


def say(address, lines):
    """Says lines with our client, which ends once the server has confirmed them."""
    subprocess.run([CHAT, "client", "udp", address], input=lines, text=True, check=True,
                   stdout=subprocess.DEVNULL, timeout=WAIT)


@contextlib.contextmanager
def lossy(port, every):
    """A proxy that drops every so many datagrams; gives its port, and a function that tells how many."""
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    backs, counts, lock = {}, {"seen": 0, "dropped": 0}, threading.Lock()

    def passes():
        with lock:
            counts["seen"] += 1
            drops = counts["seen"] % every == 0
            counts["dropped"] += drops
            return not drops

    def answers(back, client):
        with contextlib.suppress(OSError):
            while data := back.recv(65536):
                if passes():
                    front.sendto(data, client)

    def questions():
        with contextlib.suppress(OSError):
            while True:
                data, client = front.recvfrom(65536)
                if client not in backs:
                    backs[client] = back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    back.connect(("127.0.0.1", port))
                    threading.Thread(target=answers, args=(back, client), daemon=True).start()
                if passes():
                    backs[client].send(data)

    threading.Thread(target=questions, daemon=True).start()
    yield front.getsockname()[1], lambda: counts["dropped"]
    front.close()


def spoofed(kind):
    """Anyone can write any sender on a datagram."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        sys.exit("show: forging a sender's address takes root: "
                 f"sudo python3 {sys.argv[0]} spoofed {kind}")
    with server(kind, "udp") as port:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.settimeout(QUIET)
        listener.sendto(b"I listen", ("127.0.0.1", port))
        listener.recv(1024)
        if kind == "naive":
            victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            victim.sendto(b"I am ann", ("127.0.0.1", port))
        else:
            victim = subprocess.Popen([CHAT, "client", "udp", f"127.0.0.1:{port}", "--stay"],
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            victim.stdin.write("I am ann\n")
            victim.stdin.flush()
        first = listener.recv(1024).decode()
        ann = int(re.match(r"\[127\.0\.0\.1:(\d+)\] I am ann", first).group(1))
        raw.sendto(datagram(ann, port, b"I quit, and my homework was copied"), ("127.0.0.1", 0))
        seen = [first]
        with contextlib.suppress(TimeoutError):
            while True:
                seen.append(listener.recv(1024).decode())
        if kind == "ours":
            victim.kill()
    print(f"ann is at 127.0.0.1:{ann}. Somebody else forges a datagram from there. The room sees:")
    for line in seen:
        print("   ", line)
    forged = sum("homework" in line for line in seen)
    return f"{forged} forged messages in the room"


def datagram(sender_port, port, data):
    """A UDP datagram from a port of this machine that is not ours, with its IP header."""
    udp = struct.pack("!HHHH", sender_port, port, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                     socket.inet_aton("127.0.0.1"), socket.inet_aton("127.0.0.1"))
    return ip + udp


if __name__ == "__main__":
    demonstrations = {f.__name__: f for f in (boundaries, partial, blocked, lost, spoofed)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=demonstrations)
    parser.add_argument("server", choices=["naive", "ours"])
    arguments = parser.parse_args()
    print("seen:", demonstrations[arguments.what](arguments.server))
