"""The sockets: signatures, the heartbeat, clients that disconnect or do not read."""

import socket
import struct
import unittest

import zmq
from jupyter_client.session import Session

from client import Notebook


def setUpModule():
    global notebook, info
    notebook = Notebook()
    info = notebook.manager.get_connection_info()


def tearDownModule():
    notebook.close()


def connect(kind, channel, **options):
    """A socket of our own to one of the kernel's channels."""
    ours = zmq.Context.instance().socket(kind)
    ours.linger = 0
    for name, value in options.items():
        setattr(ours, name, value)
    ours.connect(f"tcp://{info['ip']}:{info[f'{channel}_port']}")
    return ours


def beats(ours, seconds=30):
    ours.send(b"ping")
    return bool(ours.poll(1000 * seconds)) and ours.recv() == b"ping"


class Heartbeat(unittest.TestCase):
    def test_it_answers(self):
        with connect(zmq.REQ, "hb") as ours:
            self.assertTrue(beats(ours) and beats(ours))

    def test_it_survives_clients_that_disconnect_early(self):
        for _ in range(20):
            with connect(zmq.REQ, "hb") as rude:
                rude.send(b"never mind")
        with connect(zmq.REQ, "hb") as ours:
            self.assertTrue(beats(ours))

    def test_it_survives_a_broken_connection(self):
        for _ in range(5):
            raw = socket.create_connection((info["ip"], info["hb_port"]))
            greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(55, b"\0")
            raw.sendall(greeting + b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ")
            raw.recv(64)
            raw.sendall(b"\x00\xff half a frame")
            # Closing sends a reset.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
        with connect(zmq.REQ, "hb") as ours:
            self.assertTrue(beats(ours))


class Signatures(unittest.TestCase):
    def test_a_message_with_a_wrong_signature_is_not_answered(self):
        for channel in ("shell", "control"):
            with self.subTest(channel), connect(zmq.DEALER, channel) as ours:
                Session(key=b"another key").send(ours, "kernel_info_request", {})
                own = Session(key=info["key"])
                request = own.send(ours, "kernel_info_request", {})
                self.assertTrue(ours.poll(30_000), "no answer")
                _, reply = own.feed_identities(ours.recv_multipart())
                reply = own.deserialize(reply)
                self.assertEqual(reply["parent_header"]["msg_id"], request["header"]["msg_id"])

    def test_answers_are_signed(self):
        with connect(zmq.DEALER, "shell") as ours:
            own = Session(key=info["key"])
            own.send(ours, "kernel_info_request", {})
            self.assertTrue(ours.poll(30_000), "no answer")
            _, frames = own.feed_identities(ours.recv_multipart())
            self.assertEqual(frames[0], own.sign(frames[1:5]))

    def test_invalid_and_unknown_messages_are_ignored(self):
        with connect(zmq.DEALER, "shell") as ours:
            own = Session(key=info["key"])
            for frames in ([b"x"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{", b"{}", b"{}", b"{}"]):
                ours.send_multipart(frames)
            own.send(ours, "no_such_request", {})
            own.send(ours, "kernel_info_request", {})
            self.assertTrue(ours.poll(30_000), "no answer")
            _, frames = own.feed_identities(ours.recv_multipart())
            self.assertEqual(own.deserialize(frames)["msg_type"], "kernel_info_reply")
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])


class Stuck(unittest.TestCase):
    def test_a_client_that_does_not_read_does_not_block_the_control_channel(self):
        stuck = connect(zmq.DEALER, "control", rcvhwm=1, rcvbuf=4096, sndhwm=100_000)
        own = Session(key=info["key"])
        with stuck:
            request = own.msg("kernel_info_request", {})
            for _ in range(20_000):
                stuck.send_multipart(own.serialize(request))
            client = notebook.client
            mine = client.session.msg("kernel_info_request", {})
            client.control_channel.send(mine)
            while True:
                reply = client.get_control_msg(timeout=120)
                if reply["parent_header"].get("msg_id") == mine["header"]["msg_id"]:
                    break


if __name__ == "__main__":
    unittest.main()
