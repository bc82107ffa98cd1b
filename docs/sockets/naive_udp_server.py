"""A chat server over UDP as a first networking lesson writes it: whoever sends something is in the room."""

import socket
import sys

room = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
room.bind(("127.0.0.1", int(sys.argv[1])))
print(room.getsockname()[1], flush=True)
members = set()
while True:
    data, address = room.recvfrom(1024)
    members.add(address)
    line = f"[{address[0]}:{address[1]}] ".encode() + data
    for member in members:
        room.sendto(line, member)
