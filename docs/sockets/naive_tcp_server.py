"""A chat server as a first networking lesson writes it: a thread for each client, and a list of them.

Each flag repairs one fault of it, and shows the next one.
"""

import argparse
import socket
import threading

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("port", type=int)
parser.add_argument("--lines", action="store_true", help="read lines instead of whatever recv returns")
parser.add_argument("--dont-wait", action="store_true", help="never wait for a client that does not read")
options = parser.parse_args()

clients = []


def messages(client):
    if options.lines:
        yield from client.makefile("rb")
    else:
        while data := client.recv(1024):
            yield data


def serve(client, address):
    clients.append(client)
    prefix = f"[{address[0]}:{address[1]}] ".encode()
    try:
        for message in messages(client):
            for other in list(clients):
                if other is not client:
                    send(other, prefix + message)
    except OSError:
        pass
    clients.remove(client)
    client.close()


def send(client, data):
    if options.dont_wait:
        try:
            client.send(data, socket.MSG_DONTWAIT)  # returns how much it took; who looks at that?
        except BlockingIOError:
            pass
    else:
        client.sendall(data)


listener = socket.create_server(("127.0.0.1", options.port))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
