"""Runs Rust as a notebook's cell, in a kernel of its own, and prints what comes of it.

    python cell.py 'CODE'
"""

import sys

from jupyter_client.manager import run_kernel


def run(code, timeout=300):
    """What the cell shows, as text; it raises `RuntimeError` with the message of one that fails."""
    shown = []

    def keep(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            shown.append(content["text"])
        elif message["msg_type"] in ("display_data", "execute_result"):
            shown.append(content["data"].get("text/plain", ""))

    with run_kernel(kernel_name="tchalk") as client:
        reply = client.execute_interactive(code, allow_stdin=False, output_hook=keep, timeout=timeout)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(reply["content"].get("evalue", reply["content"]))
    return "".join(shown)


if __name__ == "__main__":
    try:
        print(run(sys.argv[1]))
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"the cell failed: {error}")
