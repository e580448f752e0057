"""Tests of the cloud's set-up cell: python -m unittest discover -s cloud

The ones of the kernel need `eval "$(cargo xtask env)"` before; `cargo xtask test` sees to that.
"""

import contextlib
import functools
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import unittest
from unittest import mock

HERE = pathlib.Path(__file__).parent
NAME = "tchalk-1.2.3-x86_64-unknown-linux-gnu"


def loaded(repository):
    """What the cell defines, without setting anything up."""
    source = (HERE / "set_up.py").read_text()
    body, last = source.rstrip().rsplit("\n", 1)
    assert last == "set_up()", last
    body = body.replace("{repository}", repository).replace("{version}", "1.2.3").replace("{rust}", "1.95.0")
    names = {}
    exec(compile(body, "set_up.py", "exec"), names)
    return names


@contextlib.contextmanager
def served(folder):
    """A web server on this machine, as the forge that holds the releases."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Checkout(unittest.TestCase):
    def setUp(self):
        self.here = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.here)
        self.machine = self.here / "machine"
        self.machine.mkdir()
        self.output = io.StringIO()

    def release(self, damage=b""):
        folder = self.here / "forge/releases/download/v1.2.3"
        (self.here / NAME).mkdir()
        (self.here / NAME / "Cargo.toml").write_text("[workspace]")
        folder.mkdir(parents=True)
        archive = folder / f"{NAME}.tar.gz"
        with tarfile.open(archive, "w:gz") as files:
            files.add(self.here / NAME, NAME)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        (folder / "SHA256SUMS").write_text(f"0123  another.tar.gz\n{found}  {NAME}.tar.gz\n")
        archive.write_bytes(archive.read_bytes() + damage)
        return self.here / "forge"

    def checkout(self, repository):
        with contextlib.redirect_stdout(self.output):
            return loaded(repository)["checkout"](self.machine)

    def test_a_release_is_unpacked_once(self):
        with served(self.release()) as address:
            folder = self.checkout(address)
        self.assertTrue((folder / "Cargo.toml").is_file())
        self.assertEqual([folder.name], os.listdir(self.machine))
        self.assertEqual(self.checkout("http://127.0.0.1:9"), folder)

    def test_a_damaged_archive_is_refused_and_removed(self):
        with served(self.release(damage=b"x")) as address:
            with self.assertRaisesRegex(SystemExit, "is damaged"):
                self.checkout(address)
        self.assertEqual([], os.listdir(self.machine))

    def test_without_a_release_the_repository_is_cloned(self):
        project = self.here / "project"
        project.mkdir()
        (project / "Cargo.toml").write_text("[workspace]")
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
            subprocess.run(["git", *words], cwd=project, check=True)
        folder = self.checkout(f"file://{project}")
        self.assertTrue((folder / "Cargo.toml").is_file())
        self.assertIn("No release is to be had", self.output.getvalue())
        self.assertIn("about 20 minutes", self.output.getvalue())

    def test_what_a_program_prints_is_shown_whatever_it_is(self):
        with contextlib.redirect_stdout(self.output):
            loaded("")["run"](["printf", r"\342\200\242 set-up \377\n"])
        self.assertEqual(self.output.getvalue(), "\u2022 set-up \ufffd\n")

    def test_without_an_address_the_cell_says_what_to_do(self):
        with self.assertRaisesRegex(SystemExit, "does not know where tchalk is.*TCHALK_REPOSITORY"):
            self.checkout("")
        self.assertEqual([], os.listdir(self.machine))

    def test_neither_release_nor_repository_is_an_error_that_says_so(self):
        with self.assertRaisesRegex(SystemExit, "git clone .* failed"):
            self.checkout(f"file://{self.here}/nothing")


class Libtorch(unittest.TestCase):
    def chosen(self, version, driver=None):
        names, output = loaded("x"), io.StringIO()
        self.ran = []
        names["driver"] = lambda: driver
        names["run"] = lambda command, **_: self.ran.append(command)
        with contextlib.redirect_stdout(output), mock.patch.dict(os.environ, {"TCHALK_LIBTORCH": "old"}):
            with mock.patch("importlib.metadata.version", lambda _: version):
                names["libtorch"]()
            return os.environ.get("TCHALK_LIBTORCH"), output.getvalue()

    def test_the_machine_s_own_is_used_if_it_fits(self):
        chosen, said = self.chosen("2.11.0+cu130")
        self.assertEqual("environment", chosen)
        self.assertIn("own PyTorch, 2.11.0+cu130", said)

    def test_another_version_is_left_alone(self):
        chosen, said = self.chosen("2.9.0+cu126")
        self.assertIsNone(chosen)
        self.assertIn("2.9.0+cu126; libtorch 2.11.0 is fetched beside it", said)

    def test_a_driver_that_is_too_old_for_cuda_13_gets_cuda_12(self):
        chosen, said = self.chosen("2.9.0+cu126", driver=550)
        self.assertEqual("environment", chosen)
        self.assertIn("550, is older than 580", said)
        self.assertIn("torch==2.11.0", self.ran[0])
        self.assertIsNone(self.chosen("2.9.0+cu126", driver=580)[0])


class Kernel(unittest.TestCase):
    """`%%rust`, with a real kernel behind it."""

    @classmethod
    def setUpClass(cls):
        from IPython.core.interactiveshell import InteractiveShell
        from jupyter_client.kernelspec import KernelSpecManager

        if "tchalk" not in KernelSpecManager().find_kernel_specs():
            raise unittest.SkipTest("the kernel is not set up: eval \"$(cargo xtask env)\"")
        cls.shell = InteractiveShell.instance()
        cls.names = loaded("x")
        cls.folder = tempfile.TemporaryDirectory()
        cls.kernel = cls.names["Kernel"](pathlib.Path(cls.folder.name))

    @classmethod
    def tearDownClass(cls):
        cls.kernel.manager.shutdown_kernel(now=True)
        cls.kernel.client.stop_channels()
        cls.folder.cleanup()

    def run_cell(self, code):
        """What a cell shows: its text, and its images and tables with what they replace."""
        text, shown = io.StringIO(), []
        with mock.patch.object(self.shell.display_pub, "publish", lambda **what: shown.append(what)):
            with contextlib.redirect_stdout(text):
                self.kernel.execute(code)
        return text.getvalue(), shown

    def test_text_values_and_variables(self):
        self.assertEqual("seen\n", self.run_cell('let five = 5;\nprintln!("seen");')[0])
        _, shown = self.run_cell("five + 1")
        self.assertEqual("6", shown[0]["data"]["text/plain"])

    def test_a_failing_cell_fails_with_the_kernel_s_words(self):
        with self.assertRaises(self.names["CellFailed"]) as failed:
            self.run_cell('panic!("too hot")')
        lines = failed.exception._render_traceback_()
        self.assertIn("too hot", "\n".join(lines))

    def test_what_is_live_is_replaced_while_the_cell_runs(self):
        _, shown = self.run_cell(
            "use tchalk::display::{Content, Live};\nlet mut live = Live::new().unwrap();\n"
            "for turn in 0..3 {\n    live.update(&Content::text(format!(\"turn {turn}\")));\n"
            "    std::thread::sleep(std::time::Duration::from_millis(300));\n}"
        )
        self.assertEqual([False, True], [shown[0]["update"], shown[-1]["update"]])
        self.assertEqual(shown[0]["transient"], shown[-1]["transient"])
        self.assertIn("turn 2", shown[-1]["data"]["text/plain"])

    def test_a_question_is_put_to_the_reader(self):
        with mock.patch("builtins.input", lambda prompt: f"answer to {prompt}"):
            text, _ = self.run_cell('println!("{}", tchalk::display::input("who?"));')
        self.assertIn("answer to who?", text)

    def test_the_stop_button_reaches_the_kernel(self):
        timer = threading.Timer(4.0, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        self.addCleanup(timer.cancel)
        self.run_cell(
            "let mut turns = 0;\nwhile turns < 1200 && !tchalk::runtime::interrupt::requested() {\n"
            "    turns += 1;\n    std::thread::sleep(std::time::Duration::from_millis(50));\n}"
        )
        _, shown = self.run_cell("turns < 1200")
        self.assertEqual("true", shown[0]["data"]["text/plain"])


if __name__ == "__main__":
    unittest.main()
