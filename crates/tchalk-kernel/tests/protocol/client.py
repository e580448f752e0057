"""A notebook's side of the kernel, small enough to test with."""

import os
import pathlib
import queue
import time

from jupyter_client.manager import start_new_kernel

SESSIONS = pathlib.Path(os.environ["TCHALK_STATE"]) / "sessions"


class Reply:
    """The result of one cell: its reply and its messages, in order."""

    def __init__(self, content, messages):
        self.content = content
        self.status = content["status"]
        self.messages = messages

    def of(self, kind):
        return [content for message, content in self.messages if message == kind]

    def text(self, name="stdout"):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    def result(self):
        return [c["data"]["text/plain"] for c in self.of("execute_result")]


class Notebook:
    """One running kernel."""

    def __init__(self, kernel="tchalk", **options):
        self.manager, self.client = start_new_kernel(kernel_name=kernel, startup_timeout=180, **options)

    def send(self, code):
        return self.client.execute(code)

    def collect(self, request, timeout=180, on_message=None):
        """Waits until the cell is done."""
        messages, deadline = [], time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status":
                if content["execution_state"] == "idle":
                    break
                continue
            messages.append((kind, content))
            if on_message:
                on_message(kind, content)
        while True:
            reply = self.client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == request:
                return Reply(reply["content"], messages)

    def run(self, code, **options):
        return self.collect(self.send(code), **options)

    def interrupt(self):
        self.manager.interrupt_kernel()

    def kill(self):
        """Ends the kernel at once, like a power cut."""
        self.manager.signal_kernel(9)
        try:
            self.client.get_iopub_msg(timeout=0.5)
        except queue.Empty:
            pass
        self.client.stop_channels()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def folders():
    """The session folders that there are now."""
    return {entry.name for entry in SESSIONS.iterdir() if entry.is_dir()} if SESSIONS.is_dir() else set()


def until(condition, seconds):
    """Waits for something that takes a moment, and says whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()
