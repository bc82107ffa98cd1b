"""What stands on the wire: values, frames and datagrams, written from PROTOCOL.md and from nothing else.

Numbers behind comments are clauses.
"""

import struct

PREFACE = b"\xf5chat\x02"  # 6.1
DATAGRAM_BYTES_MAX = 1200  # 11.1


# ---- 6.2: values ------------------------------------------------------------------------------


def integer(number):
    if number < 251:
        return bytes([number])
    for mark, form, bits in (0xFB, "<H", 16), (0xFC, "<I", 32), (0xFD, "<Q", 64):
        if number < 1 << bits:
            return bytes([mark]) + struct.pack(form, number)
    raise ValueError(number)


def text(string):
    encoded = string.encode()
    return integer(len(encoded)) + encoded


def option(encoded):
    return b"\0" if encoded is None else b"\1" + encoded


class Reader:
    def __init__(self, encoded):
        self.rest = encoded

    def take(self, count):
        if len(self.rest) < count:
            raise ValueError("too short")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def u8(self):
        return self.take(1)[0]

    def bool(self):
        return {0: False, 1: True}[self.u8()]

    def integer(self):
        first = self.u8()
        if first < 251:
            return first
        form = {0xFB: "<H", 0xFC: "<I", 0xFD: "<Q"}[first]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.integer()).decode()

    def option(self, read):
        return read() if self.bool() else None

    def list(self, read):
        return [read() for _ in range(self.integer())]

    def fields(self, names):
        """Fields in order: `i` an integer, `t` a text, `b` a bool, `u` a u8, `o` an option of the next."""
        found = {}
        for name in names.split():
            kind, name = name.split(":")
            read = {"i": self.integer, "t": self.text, "b": self.bool, "u": self.u8}[kind[-1]]
            found[name] = self.option(read) if kind[0] == "o" else read()
        return found


# ---- 6.5, 6.6: frames -------------------------------------------------------------------------

WELCOME = (
    "u:version i:capabilities i:epoch i:member i:since i:key b:resumed oi:taken t:you t:address ot:room ot:name "
    "i:head i:began_unix_ms i:members ot:topic"
)
EVENTS = {
    1: ("Said", "i:member i:number t:author t:text"),
    2: ("Joined", "i:member t:author i:members"),
    3: ("Left", "i:member t:author u:reason t:phrase i:members"),
    4: ("PresenceSummary", "i:joined i:left i:members"),
    5: ("Renamed", "i:member t:from t:to"),
    6: ("Topic", "i:member t:author t:text"),
}
ITEMS = {
    1: ("Private", "i:from t:author t:text"),
    2: ("Refused", "i:number t:why"),
    3: ("Notice", "t:text"),
    4: ("Undelivered", "t:to t:why"),
    5: ("Done", "i:number"),
    6: ("Sent", "i:number t:to t:text"),
    7: ("Ignoring", "i:member b:is_ignored"),
    8: ("Move", "t:room"),
}


def frame(kind, fields=b""):
    return struct.pack("<H", 1 + len(fields)) + bytes([kind]) + fields


def hello(history, resume=None):
    if resume is not None:
        resume = b"".join(integer(number) for number in resume)
    return integer(1) + b"\2" + integer(0) + option(None) + option(None) + option(resume) + integer(history)


def present(reader):
    return {"members": reader.integer(), "authors": reader.list(reader.text), "more": reader.bool()}


def read_frame(payload):
    """The name and the fields of a frame from a room; None for one of a later version."""
    reader = Reader(payload)
    kind = reader.u8()
    if kind == 0x81:
        return "Welcome", reader.fields(WELCOME)
    if kind == 0x82:
        found = reader.fields("i:seq i:at_ms")
        event, fields = EVENTS.get(reader.u8(), ("?", ""))
        return event, {**found, **reader.fields(fields)}
    if kind == 0x83:
        return "Lagged", reader.fields("i:messages i:next i:head i:taken")
    if kind == 0x84:
        found = reader.fields("i:number")
        item, fields = ITEMS.get(reader.u8(), ("?", ""))
        read = reader.fields(fields)
        return item, {"item": found["number"], **read}
    if kind == 0x85:
        return "Present", present(reader)
    if kind == 0x86:
        return "Bye", reader.fields("u:reason t:phrase")
    return None


def split_frames(encoded):
    """The payloads of whole frames, and what follows them."""
    payloads = []
    while len(encoded) >= 2:
        (length,) = struct.unpack_from("<H", encoded)
        if not 1 <= length <= 2048:
            raise ValueError("length of a frame")
        if len(encoded) < 2 + length:
            break
        payloads.append(encoded[2 : 2 + length])
        encoded = encoded[2 + length :]
    return payloads, encoded


# ---- 11: datagrams ----------------------------------------------------------------------------


def read_datagram(datagram):
    """The name, the fields and the rest of a datagram from a room; None if it is to be ignored."""
    if datagram[:6] != PREFACE or len(datagram) > DATAGRAM_BYTES_MAX or len(datagram) < 7:
        return None
    reader, kind = Reader(datagram[7:]), datagram[6]
    if kind == 0x81:
        return "Retry", {"nonce": reader.integer(), "cookie": reader.take(12)}, b""
    if kind == 0x82:
        found = {"nonce": reader.integer(), "session": reader.take(8)}
        found.update(reader.fields("i:slot i:seq"))
        return "Welcome", {**found, **reader.fields(WELCOME)}, b""
    if kind == 0x83:
        return "Refused", reader.fields("i:nonce u:reason t:phrase"), b""
    if kind == 0x86:
        return "Challenge", {"cookie": reader.take(12)}, b""
    session = {"session": reader.take(8)}
    if kind == 0x84:
        return "Entries", {**session, **reader.fields("i:taken i:slot")}, reader.rest
    if kind == 0x85:
        return "Lagged", {**session, **reader.fields("i:taken i:slot i:seq i:head")}, reader.rest
    if kind == 0x87:
        return "Present", {**session, **present(reader)}, b""
    if kind == 0x88:
        return "Bye", {**session, **reader.fields("u:reason t:phrase")}, b""
    if kind == 0x89:
        return "Direct", {**session, **reader.fields("i:after")}, reader.rest
    return None
