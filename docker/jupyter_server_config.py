"""How JupyterLab runs in a container, alone or under a JupyterHub."""

import json
import os
import pathlib
import string
import subprocess

c = get_config()  # noqa: F821 (Jupyter gives it)
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.open_browser = False
c.ServerApp.root_dir = os.environ["HOME"]
c.ServerApp.default_url = c.LabApp.default_url = "/lab/tree/notebooks/tutorial.ipynb"

# A kernel warms up while the browser opens, so that the first cell need not wait for it.
kernel = json.loads(pathlib.Path("/opt/tchalk/jupyter/kernels/tchalk/kernel.json").read_text())
named = {name: string.Template(text).safe_substitute(os.environ) for name, text in kernel["env"].items()}
subprocess.Popen(
    [kernel["argv"][0], "--prewarm"],
    env={**os.environ, **named},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
