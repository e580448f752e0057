"""A reader in a browser: JupyterLab in headless Chromium, driven over its debugging protocol."""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

import nbformat.v4 as nb
import websocket

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

CELLS = [
    """use tchalk::prelude::*;
let model = Sequential::new().input_shape([3, 32, 32])
    .add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
model.compile(Sgd::new(0.001), Loss::CategoricalCrossEntropy)?;
let train = datasets::shapes()?.train.to_tensors(Device::Cpu);
train""",
    "let history = model.fit(&train, Fit::new().epochs(100_000))?;",
    'println!("{} epochs, {} parameters", history.len(), model.parameter_count());',
]

# The notebook in JupyterLab's main area.
PANEL = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext)"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Page:
    """One tab of a browser."""

    def __init__(self, folder):
        port = free_port()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-quic"]
        flags += [f"--remote-debugging-port={port}", "--remote-allow-origins=*", "--window-size=1200,1000"]
        self.browser = subprocess.Popen(
            [CHROMIUM, *flags, f"--user-data-dir={folder}/chromium", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        tabs = wait_for(lambda: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json")), 30)
        tab = next(tab for tab in tabs if tab["type"] == "page")
        self.socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=60)
        self.number = 0

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                return answer["result"]

    def ask(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def command(self, name):
        self.ask(f"window.jupyterapp.commands.execute('{name}').then(() => 0, () => 0); 0")

    def run_cell(self, cell):
        """Runs a cell. JupyterLab drops a command for a notebook that is not in the foreground, or not yet
        connected, so it is given again until the cell is seen to run."""
        prompt = "[...document.querySelectorAll('.jp-CodeCell')][%d].querySelector('.jp-InputPrompt').innerText" % cell
        select = f"{PANEL}.content.activeCellIndex = %d; window.jupyterapp.shell.activateById({PANEL}.id); 0" % cell

        def runs():
            if "[ ]" not in (self.ask(prompt) or "[ ]"):
                return True
            self.ask(select)
            self.command("notebook:run-cell")
            time.sleep(1)
            return False

        wait_for(runs, 120)

    def outputs(self, cell):
        script = "[...document.querySelectorAll('.jp-CodeCell')][%d]?.querySelector('.jp-OutputArea')?.innerText"
        return self.ask(script % cell) or ""

    def screenshot(self, path):
        image = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(image["data"]))

    def close(self):
        self.socket.close()
        self.browser.kill()
        self.browser.wait()


def wait_for(condition, seconds):
    """The first true answer, within some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := condition():
                return answer
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.2)


@unittest.skipUnless(CHROMIUM, "there is no Chromium on this machine")
class Browser(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        notebook = nb.new_notebook(cells=[nb.new_code_cell(code) for code in CELLS])
        notebook.metadata.kernelspec = {"name": "tchalk", "display_name": "Rust (tchalk)", "language": "rust"}
        pathlib.Path(self.folder, "page.ipynb").write_text(json.dumps(notebook))
        self.port = free_port()
        options = [f"--port={self.port}", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        options += ["--IdentityProvider.token=chalk", f"--ServerApp.root_dir={self.folder}"]
        self.lab = subprocess.Popen(
            ["jupyter", "lab", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.page = Page(self.folder)

    def tearDown(self):
        images = pathlib.Path(os.environ.get("TCHALK_SCREENSHOTS", self.folder))
        images.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(images / "lab.png")
        self.page.close()
        self.lab.terminate()
        self.lab.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_progress_is_seen_and_stop_keeps_the_network(self):
        page = self.page
        address = f"http://127.0.0.1:{self.port}/lab/tree/page.ipynb?token=chalk"
        wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api?token=chalk"), 60)
        page.call("Page.navigate", url=address)
        wait_for(lambda: page.ask("document.querySelectorAll('.jp-CodeCell').length") == len(CELLS), 60)
        connected = f"{PANEL}?.sessionContext.session?.kernel?.connectionStatus"
        wait_for(lambda: page.ask("Boolean(window.jupyterapp)"), 60)
        wait_for(lambda: page.ask(connected) == "connected", 120)

        page.run_cell(0)
        wait_for(lambda: "f32 [5000, 3, 32, 32]" in page.outputs(0), 180)
        page.run_cell(1)
        first = wait_for(lambda: "step" in page.outputs(1) and page.outputs(1), 60)
        wait_for(lambda: page.outputs(1) != first, 10)
        page.command("notebook:interrupt-kernel")
        wait_for(lambda: "the weights are kept" in page.outputs(1), 30)
        page.run_cell(2)
        wait_for(lambda: "30730 parameters" in page.outputs(2), 30)


if __name__ == "__main__":
    unittest.main()
