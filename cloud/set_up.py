"""Brings tchalk to a notebook in the cloud: Google Colab, or Kaggle.

This is the first cell of `tutorial.ipynb` and `exercise.ipynb` beside it. It unpacks a release (or
clones the repository and builds), installs Rust, uses the machine's own PyTorch where that is the
version that tchalk needs, starts the tchalk kernel, and hands it every cell that begins with `%%rust`.
Notebooks in the cloud run Python, and another kernel cannot be chosen reliably: so Python stays, and
passes messages on.
"""

import atexit
import hashlib
import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

REPOSITORY = os.environ.get("TCHALK_REPOSITORY", "{repository}")
VERSION = "{version}"
RUST = "{rust}"
TARGET = "x86_64-unknown-linux-gnu"
TORCH = "2.11.0"
# The libtorch that set-up fetches has CUDA 13, which needs this driver; older ones serve CUDA 12.
DRIVER = 580
OLDER_CUDA = "https://download.pytorch.org/whl/cu126"
RUSTUP = f"https://static.rust-lang.org/rustup/dist/{TARGET}/rustup-init"


def run(command, folder=None, quiet=False):
    """Runs a program; its output is the sign of life, its last lines the reason if it fails."""
    lines = []
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    # Whatever the machine's locale: set-up prints bullets, and what it calls prints what it likes.
    text = {"encoding": "utf-8", "errors": "replace"}
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, **text, **both) as process:
        for line in process.stdout:
            lines.append(line.rstrip())
            if not quiet:
                print(line, end="", flush=True)
    if process.returncode:
        tail = "\n".join(lines[-12:])
        raise SystemExit(f"{' '.join(map(str, command))} failed ({process.returncode}):\n{tail}")


def fetch(address, file):
    with urllib.request.urlopen(address, timeout=60) as answer, open(file, "wb") as to:
        shutil.copyfileobj(answer, to)


def checkout(here):
    """The folder of the project: from a release, or else a clone."""
    if not REPOSITORY:
        raise SystemExit(
            "This notebook does not know where tchalk is: it was made before the project had an address. "
            "Open it from the project's own page, or put the address, https://github.com/…, into "
            "os.environ[\"TCHALK_REPOSITORY\"] in a cell before this one, and run this cell again."
        )
    name = f"tchalk-{VERSION}-{TARGET}"
    folder = here / name
    if folder.is_dir():
        return folder
    release = f"{REPOSITORY}/releases/download/v{VERSION}"
    archive, sums = here / f"{name}.tar.gz", here / "SHA256SUMS"
    try:
        fetch(f"{release}/{archive.name}", archive)
        fetch(f"{release}/{sums.name}", sums)
    except (urllib.error.URLError, OSError) as error:
        print(f"No release is to be had from {release} ({error}).")
        return clone(here)
    published = dict(reversed(line.split(maxsplit=1)) for line in sums.read_text().splitlines())
    found, wanted = hashlib.sha256(archive.read_bytes()).hexdigest(), published.get(archive.name)
    sums.unlink()
    if found != wanted:
        archive.unlink()
        raise SystemExit(
            f"{archive.name} is damaged: its sum is {found}, and {wanted} was published. Run the cell again."
        )
    part = here / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as files:
        # Pythons before 3.11.4 have no filter; the archive's sum has been checked.
        files.extractall(part, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (part / name).rename(folder)
    part.rmdir()
    archive.unlink()
    return folder


def clone(here):
    folder = here / "tchalk"
    if not folder.is_dir():
        print("The kernel is built here instead, which takes about 20 minutes on two cores.")
        run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, folder])
    return folder


def rust():
    """Rust of the version that the release was built with."""
    programs = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "bin"
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    os.environ["RUSTUP_TOOLCHAIN"] = RUST
    try:
        answer = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
        if answer.stdout.split()[1] == RUST:
            return
    except (OSError, subprocess.CalledProcessError):
        pass
    print(f"Rust {RUST} is installed (about 200 MB) …")
    del os.environ["RUSTUP_TOOLCHAIN"]
    installer = pathlib.Path("rustup-init")
    fetch(RUSTUP, installer)
    installer.chmod(0o755)
    options = ["-y", "--no-modify-path", "--profile", "minimal", "--component", "rust-src"]
    run([installer.absolute(), *options, "--default-toolchain", RUST], quiet=True)
    installer.unlink()
    os.environ["RUSTUP_TOOLCHAIN"] = RUST


def driver():
    """The first number of the NVIDIA driver's version, or None."""
    question = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, check=True).stdout
        return int(answer.split(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def libtorch():
    """The machine's own PyTorch if it fits, else one that its driver can serve."""
    try:
        found = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found.split("+")[0] == TORCH:
        print(f"This machine's own PyTorch, {found}, has the libtorch that is needed.")
        os.environ["TCHALK_LIBTORCH"] = "environment"
        return
    number = driver()
    if number is not None and number < DRIVER:
        print(f"This machine's PyTorch is {found}, and its driver, {number}, is older than {DRIVER}:")
        print(f"PyTorch {TORCH} for CUDA 12.6 takes its place (about 3 GB) …")
        install = ["install", "--quiet", f"torch=={TORCH}", "--index-url", OLDER_CUDA]
        run([sys.executable, "-m", "pip", *install])
        os.environ["TCHALK_LIBTORCH"] = "environment"
        return
    print(f"This machine's PyTorch is {found}; libtorch {TORCH} is fetched beside it (up to 3 GB).")
    os.environ.pop("TCHALK_LIBTORCH", None)
    # Set-up makes a virtual environment; Debian and Ubuntu keep that module in a package of its own.
    if not importlib.util.find_spec("ensurepip"):
        package = f"python3.{sys.version_info.minor}-venv"
        run(["apt-get", "install", "-y", "-qq", package], quiet=True)


class CellFailed(Exception):
    """What the kernel said about a cell that failed, shown as the kernel shows it."""

    def __init__(self, lines):
        super().__init__("\n".join(lines))
        self.lines = lines

    def _render_traceback_(self):
        return self.lines


class Kernel:
    """The tchalk kernel, behind the Python one."""

    def __init__(self, folder):
        from jupyter_client import KernelManager

        self.manager = KernelManager(kernel_name="tchalk")
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, "TCHALK_PREWARM": "0"})
        atexit.register(self.manager.shutdown_kernel, now=True)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=180)

    def execute(self, code):
        """Runs a cell, and shows what comes of it while it comes."""
        import queue

        message = self.client.execute(code, allow_stdin=True)
        failed = None
        while True:
            try:
                if not self.manager.is_alive():
                    raise CellFailed(["The tchalk kernel has ended: run the set-up cell again."])
                answer = self.next(queue.Empty)
                if answer is None or answer["parent_header"].get("msg_id") != message:
                    continue
                kind, content = answer["msg_type"], answer["content"]
                if kind == "status" and content["execution_state"] == "idle":
                    break
                failed = self.show(kind, content) or failed
            except KeyboardInterrupt:
                # The first press ends a training after its step; a second one ends the cell.
                self.manager.interrupt_kernel()
        if failed:
            raise CellFailed(failed)

    def next(self, nothing):
        """The next message, or None; answers questions on the way."""
        try:
            question = self.client.get_stdin_msg(timeout=0)
            self.client.input(input(question["content"]["prompt"]))
        except nothing:
            pass
        try:
            return self.client.get_iopub_msg(timeout=0.5)
        except nothing:
            return None

    def show(self, kind, content):
        """Shows one message; the lines of an error are returned instead."""
        from IPython import get_ipython
        from IPython.display import clear_output

        if kind == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif kind in ("display_data", "execute_result", "update_display_data"):
            get_ipython().display_pub.publish(
                data=content["data"],
                metadata=content.get("metadata", {}),
                transient=content.get("transient", {}),
                update=kind == "update_display_data",
            )
        elif kind == "clear_output":
            clear_output(wait=content["wait"])
        elif kind == "error":
            return content["traceback"]
        return None


def set_up():
    from IPython import get_ipython

    begun = time.monotonic()
    here = pathlib.Path.cwd()
    folder = checkout(here)
    rust()
    libtorch()
    run(["cargo", "xtask", "setup"], folder)
    kernel = Kernel(here)
    get_ipython().register_magic_function(
        lambda line, cell: kernel.execute(cell), magic_kind="cell", magic_name="rust"
    )
    print(f"Ready after {time.monotonic() - begun:.0f} s: cells that begin with %%rust run in tchalk.")


set_up()
