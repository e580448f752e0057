"""Several kernels: each has a folder of its own, which is removed at the end."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from jupyter_client.manager import KernelManager

from client import SESSIONS, Notebook, folders, until


def is_held(path):
    """Whether a process that lives holds this lock."""
    try:
        with open(path) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def processes():
    """The processes of the kernel's program, and those that build in a session."""
    program = KernelManager(kernel_name="tchalk").kernel_spec.argv[0]
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if program in command or str(SESSIONS) in command:
                found.add(process.name)
    return found


class Prewarmed(unittest.TestCase):
    """A prewarmed kernel waits for the next notebook."""

    SOCKET = SESSIONS.parent / "prewarmed" / "socket"

    def setUp(self):
        os.environ["TCHALK_PREWARM"] = "1"
        self.before = folders()

    def tearDown(self):
        os.environ["TCHALK_PREWARM"] = "0"
        self.assertTrue(until(self.gone, 150), "a prewarmed kernel is left")

    def gone(self):
        """Ends a waiting prewarmed kernel, and says whether all is as it was before."""
        if self.SOCKET.exists():
            # A request with another fingerprint ends it.
            with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
                connection.connect(str(self.SOCKET))
                connection.sendall(b'"another"\n{}\n')
        # The folder of a kernel that Jupyter killed is removed by the next one.
        left = [SESSIONS / f"{name}.lock" for name in folders() - self.before]
        return not any(map(is_held, left)) and not self.warming()

    def warming(self):
        """Whether there is a prewarmed kernel, ready or not."""
        return is_held(self.SOCKET.with_name("lock"))

    def test_the_next_notebook_is_served_by_the_prewarmed_kernel(self):
        first = Notebook()
        try:
            first.run("1")
            self.assertTrue(until(self.SOCKET.exists, 120), "no kernel was prewarmed")
            os.environ["TCHALK_EXAMPLE"] = 'a "quoted" word'
            second = Notebook()
            try:
                self.assertFalse(self.SOCKET.exists(), "the prewarmed kernel was adopted")
                answer = second.run('std::env::var("TCHALK_EXAMPLE").unwrap().len()')
                self.assertEqual(answer.result(), ["15"])
                folder = second.run('println!("{}", std::env::current_dir().unwrap().display())')
                self.assertEqual(folder.text().strip(), os.getcwd())
                second.run("let kept = 1;")
                self.assertEqual(second.run("std::process::abort();").content["ename"], "ProcessEnded")
                again = second.run('std::env::var("TCHALK_EXAMPLE").is_ok()')
                self.assertEqual(again.result(), ["true"], "also after a crash")
                self.assertTrue(until(self.SOCKET.exists, 120), "the next prewarmed kernel")
            finally:
                os.environ.pop("TCHALK_EXAMPLE", None)
                second.close()
        finally:
            first.close()

    def test_a_notebook_in_another_folder_finds_its_own_crates(self):
        first = Notebook()
        try:
            first.run("1")
            self.assertTrue(until(self.SOCKET.exists, 120), "no kernel was prewarmed")
            with tempfile.TemporaryDirectory() as folder:
                crate = pathlib.Path(folder) / "mine"
                (crate / "src").mkdir(parents=True)
                (crate / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "0.1.0"\n')
                (crate / "src/lib.rs").write_text("pub fn number() -> i32 { 42 }")
                second = Notebook(cwd=folder)
                try:
                    self.assertFalse(self.SOCKET.exists(), "the prewarmed kernel was adopted")
                    reply = second.run(':dep mine = { path = "mine" }\nmine::number()')
                    self.assertEqual(reply.result(), ["42"], reply.content)
                finally:
                    second.close()
        finally:
            first.close()

    def test_a_kernel_prewarmed_by_hand_is_adopted(self):
        spec = KernelManager(kernel_name="tchalk").kernel_spec
        path = os.environ["PATH"]
        inside = {name: value.replace("${PATH}", path) for name, value in spec.env.items()}
        silent = {stream: subprocess.DEVNULL for stream in ("stdin", "stdout", "stderr")}
        prewarmed = subprocess.Popen([spec.argv[0], "--prewarm"], env={**os.environ, **inside}, **silent)
        self.assertTrue(until(self.SOCKET.exists, 120), "it does not wait")
        notebook = Notebook()
        try:
            self.assertFalse(self.SOCKET.exists(), "it was adopted")
            self.assertIsNone(prewarmed.poll())
            self.assertEqual(notebook.run("1 + 1").result(), ["2"])
        finally:
            notebook.close()
        self.assertEqual(prewarmed.wait(60), 0)

    def test_a_prewarmed_kernel_ends_with_the_kernel_that_adopted_it(self):
        first = Notebook()
        own = folders()
        first.run("1")
        first.close()
        self.assertTrue(until(self.SOCKET.exists, 120), "no kernel was prewarmed")
        # A busy machine may not have removed the first one's folder yet.
        (waiting,) = folders() - self.before - own
        second = Notebook()
        self.assertEqual(second.run("1 + 1").result(), ["2"])
        self.assertTrue(until(self.warming, 30), "the next one is starting")
        second.kill()
        self.assertTrue(until(lambda: waiting not in folders(), 20), "it cleans up after itself")

    def test_prewarming_can_be_turned_off(self):
        program = KernelManager(kernel_name="tchalk").kernel_spec.argv[0]
        off = {**os.environ, "TCHALK_PREWARM": "0"}
        self.assertEqual(subprocess.run([program, "--prewarm"], env=off, timeout=20).returncode, 0)
        self.assertFalse(self.warming() or self.SOCKET.exists())


class Sessions(unittest.TestCase):
    def test_two_kernels_do_not_affect_each_other(self):
        before = folders()
        first, second = Notebook(), Notebook()
        try:
            for notebook, value in [(first, 1), (second, 2)]:
                notebook.run(f"let mine = {value}; struct Own([u8; {value}]);")
            for round in range(3):
                for notebook, value in [(first, 1), (second, 2)]:
                    reply = notebook.run(f"let mine = mine + 10; (mine, std::mem::size_of::<Own>(), {round})")
                    self.assertEqual(reply.result(), [f"({value + 10 * (round + 1)}, {value}, {round})"])
            self.assertEqual(len(folders() - before), 2)
        finally:
            first.close()
            second.close()
        self.assertLessEqual(folders(), before)

    def test_two_kernels_run_at_once(self):
        first, second = Notebook(), Notebook()
        try:
            for round in range(3):
                requests = [(notebook, notebook.send(f"let at_once = {value} + {round}; at_once"))
                            for notebook, value in [(first, 10), (second, 20)]]
                results = [notebook.collect(request).result() for notebook, request in requests]
                self.assertEqual(results, [[str(10 + round)], [str(20 + round)]])
        finally:
            first.close()
            second.close()

    def test_ten_starts_and_stops_leave_nothing(self):
        before, programs = folders(), processes()
        for _ in range(10):
            manager = KernelManager(kernel_name="tchalk")
            manager.start_kernel()
            manager.shutdown_kernel(now=False)
        self.assertTrue(until(lambda: folders() <= before, 20), folders() - before)
        self.assertTrue(until(lambda: processes() <= programs, 20), processes() - programs)

    def test_a_kernel_that_cannot_start_names_the_reason_in_the_first_cell(self):
        spec = KernelManager(kernel_name="tchalk").kernel_spec
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder) / "kernels" / "broken"
            place.mkdir(parents=True)
            environment = {**spec.env, "TCHALK_STATE": f"{folder}/nothing"}
            description = {"argv": spec.argv, "display_name": "broken", "language": "rust", "env": environment}
            (place / "kernel.json").write_text(json.dumps(description))
            before = os.environ.get("JUPYTER_PATH", "")
            os.environ["JUPYTER_PATH"] = f"{folder}:{before}"
            try:
                broken = Notebook("broken")
            finally:
                os.environ["JUPYTER_PATH"] = before
            try:
                for _ in range(2):
                    reply = broken.run("1 + 1")
                    self.assertEqual(reply.status, "error")
                    self.assertIn("cargo xtask setup", reply.content["evalue"])
            finally:
                broken.close()

    def test_the_next_kernel_removes_what_a_killed_one_leaves(self):
        before = folders()
        victim = Notebook()
        (left,) = folders() - before
        victim.kill()
        self.assertIn(left, folders(), "nobody could clean up")
        survivor = Notebook()
        try:
            self.assertEqual(survivor.run("1 + 1").result(), ["2"])
            self.assertNotIn(left, folders())
        finally:
            survivor.close()
        self.assertLessEqual(folders(), before, "only what was there before, if it still is")


if __name__ == "__main__":
    unittest.main()
