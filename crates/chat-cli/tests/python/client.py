"""A framed client over TCP and UDP. It and wire.py are written from PROTOCOL.md and from nothing else.

    client.py document PROTOCOL.md    reads every dump of section 12 that a room sends
    client.py tcp IP PORT             talks, loses its connection, resumes, talks, leaves
    client.py udp IP PORT             the same, and loses every third datagram of both ends

Each ends with a line of what it has seen, or with an exception. Numbers behind comments are clauses.
"""

import os
import select
import socket
import sys
import time

from wire import (
    DATAGRAM_BYTES_MAX,
    PREFACE,
    frame,
    hello,
    integer,
    option,
    read_datagram,
    read_frame,
    split_frames,
    text,
)

PATIENCE = 30


# ---- the conversation, over either ------------------------------------------------------------


class Conversation:
    """What survives a lost connection: the session, what was read, and what is not confirmed (6.8, 6.9)."""

    def __init__(self):
        self.session = None
        self.have = self.item = self.confirmed = self.last = 0
        self.unconfirmed = {}
        self.log = []
        self.present = self.bye = self.you = None

    def resume(self):
        if self.session is None:
            return None
        epoch, member, since, key = self.session
        return epoch, member, since, key, self.have, self.item

    def say(self, string):
        self.last += 1
        self.unconfirmed[self.last] = string

    def taken(self, number):
        self.confirmed = max(self.confirmed, number)
        self.unconfirmed = {n: s for n, s in self.unconfirmed.items() if n > self.confirmed}

    def welcome(self, fields):
        assert fields["version"] == 2
        if self.session is not None:
            assert fields["resumed"] and fields["member"] == self.session[1] and fields["since"] == self.have
        self.session = tuple(fields[name] for name in ("epoch", "member", "since", "key"))
        self.have, self.you = max(self.have, fields["since"]), fields["you"]
        self.taken(fields["taken"])

    def receive(self, name, fields):
        if "seq" in fields:
            assert fields["seq"] in (self.have, self.have + 1) or not self.log, (fields, self.have)
            self.have = fields["seq"]
        if name == "Said":
            self.log.append(f"[{fields['author']}] {fields['text']}")
            if fields["member"] == self.session[1]:
                self.taken(fields["number"])
        elif "item" in fields and fields["item"] > self.item:
            self.item = fields["item"]
            if name == "Refused":
                self.taken(fields["number"])
        elif name == "Present":
            self.present = fields
        elif name == "Bye":
            self.bye = fields


class Tcp:
    def __init__(self, address, talk):
        self.talk, self.bytes, self.sent = talk, b"", 0
        self.socket = socket.create_connection(address, PATIENCE)
        # A frame and fields of a later version are skipped (6.2).
        self.socket.sendall(PREFACE + frame(1, hello(0, talk.resume()) + b"later") + frame(0x6E, b"later"))
        while len(self.bytes) < 6:
            self.bytes += self.socket.recv(4096)
        assert self.bytes[:6] == PREFACE
        self.bytes = self.bytes[6:]
        self.welcomed = False
        self.run(lambda: self.welcomed)

    def run(self, until):
        while not until():
            if self.welcomed:
                for number, string in self.talk.unconfirmed.items():
                    if number > self.sent:
                        self.socket.sendall(frame(2, integer(number) + text(string)))
                        self.sent = number
            payloads, self.bytes = split_frames(self.bytes)
            for payload in payloads:
                name, fields = read_frame(payload) or ("?", {})
                if name == "Welcome":
                    self.talk.welcome(fields)
                    self.sent, self.welcomed = fields["taken"], True
                else:
                    self.talk.receive(name, fields)
            if not payloads and not until():
                received = self.socket.recv(4096)
                if not received:
                    raise EOFError(self.talk.bye)
                self.bytes += received

    def who(self):
        self.socket.sendall(frame(3))

    def leave(self):
        self.socket.sendall(frame(5))
        while self.socket.recv(4096):
            pass

    def vanish(self):
        self.socket.close()


class Udp:
    def __init__(self, address, talk):
        self.talk, self.session, self.cookie = talk, None, None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.nonce = int.from_bytes(os.urandom(8), "little")
        self.count, self.next, self.ahead, self.is_heard = 0, None, {}, False
        self.wants_who = self.leaving = False
        self.run(lambda: self.is_heard)

    def is_lost(self):
        self.count += 1
        return self.count % 3 == 0

    def send(self, kind, fields):
        if not self.is_lost():
            self.socket.send((PREFACE + bytes([kind]) + fields).ljust(DATAGRAM_BYTES_MAX if kind == 1 else 0, b"\0"))

    def traffic(self):
        has = [slot - self.next for slot in self.ahead]
        beyond = bytearray(max(has, default=-1) // 8 + 1)
        for offset in has:
            beyond[offset // 8] |= 1 << offset % 8  # 11.8
        first = self.talk.confirmed + 1
        says = [text(string) for _, string in sorted(self.talk.unconfirmed.items())][:4]
        ping = b"\1"
        fields = ping + integer(self.next) + integer(len(beyond)) + bytes(beyond)
        fields += integer(self.talk.item) + integer(0) + integer(first)
        self.send(2, self.session + fields + b"".join(says))

    def run(self, until):
        """Repeats what it has to say until it is answered; simple rather than fast."""
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline, "no answer"
            if self.session is None:
                self.send(1, integer(self.nonce) + option(self.cookie) + hello(0, self.talk.resume()))
            elif self.leaving:
                self.send(5, self.session)
            else:
                self.traffic()
                if self.wants_who:
                    self.send(3, self.session)
            while select.select([self.socket], [], [], 0.1)[0]:
                datagram = self.socket.recv(2048)
                if not self.is_lost():
                    self.receive(datagram)

    def receive(self, datagram):
        read = read_datagram(datagram)
        if read is None:
            return
        name, fields, rest = read
        if name in ("Retry", "Welcome", "Refused"):
            if self.session is not None or fields["nonce"] != self.nonce:
                return
            assert name != "Refused", fields
            if name == "Retry":
                self.cookie = fields["cookie"]
            else:
                self.talk.welcome(fields)
                self.session, self.next = fields["session"], fields["slot"]
            return
        if fields.get("session") != self.session:
            return  # 11.7
        self.is_heard = True
        payloads, _ = split_frames(rest)
        if name == "Lagged" and fields["slot"] > self.next:
            self.next, self.talk.have = fields["slot"], fields["seq"]
        if name in ("Entries", "Lagged"):
            self.talk.taken(fields["taken"])
            for slot, payload in enumerate(payloads, fields["slot"]):
                if slot >= self.next:
                    self.ahead[slot] = payload
            while self.next in self.ahead:
                self.talk.receive(*(read_frame(self.ahead.pop(self.next)) or ("?", {})))
                self.next += 1
        elif name == "Direct":
            if fields["after"] <= self.talk.item:
                for payload in payloads:
                    self.talk.receive(*(read_frame(payload) or ("?", {})))
        else:
            self.wants_who = self.wants_who and name != "Present"
            self.talk.receive(name, fields)

    def who(self):
        self.wants_who = True

    def leave(self):
        self.leaving = True
        self.run(lambda: self.talk.bye)

    def vanish(self):
        self.socket.close()


def converse(connect):
    talk = Conversation()
    link = connect(talk)
    for string in "one", "zw\u00f6lf \U0001f600", "", "x" * 960:
        talk.say(string)
    link.run(lambda: not talk.unconfirmed and len(talk.log) >= 4)
    link.vanish()
    talk.say("five")  # while there is no connection
    member = talk.session[1]
    link = connect(talk)
    link.run(lambda: not talk.unconfirmed and len(talk.log) >= 5)
    assert talk.session[1] == member
    link.who()
    link.run(lambda: talk.present)
    assert talk.you in talk.present["authors"], talk.present
    link.leave()
    print(f"seen: {len(talk.log)} messages, {talk.last} said, {talk.confirmed} confirmed, {talk.item} items")


def document(path):
    """Every dump of a room can be read, and nothing of it is left over."""
    seen = 0
    for block in open(path, encoding="utf-8").read().split("```wire ")[1:]:
        name, *lines = block.split("```")[0].strip().split("\n")
        parts = [line.split("  ")[0] for line in lines]
        dump = b"".join(bytes(int(part[5:])) if "\u00d7" in part else bytes.fromhex(part) for part in parts)
        if dump[:6] == PREFACE:
            if dump[6] & 0x80:
                assert read_datagram(dump), name
                for payload in split_frames(read_datagram(dump)[2])[0]:
                    assert read_frame(payload), name
                seen += 1
            continue
        payloads, rest = split_frames(dump)
        assert len(payloads) == 1 and not rest, name
        if payloads[0][0] & 0x80:
            assert read_frame(payloads[0]), name
            seen += 1
        elif name == "Hello":
            assert dump == frame(1, hello(20)), dump
        elif name == "Hello that resumes":
            resume = 9, 1, 2, 0x0102030405060708, 70000, 3
            assert dump == frame(1, hello(0, resume)), dump
        elif name == "Say":
            assert dump == frame(2, integer(251) + text("h\u00e9!")), dump
    print(f"seen: {seen} dumps of a room")


if __name__ == "__main__":
    if sys.argv[1] == "document":
        document(sys.argv[2])
    else:
        address = sys.argv[2], int(sys.argv[3])
        transport = {"tcp": Tcp, "udp": Udp}[sys.argv[1]]
        converse(lambda talk: transport(address, talk))
