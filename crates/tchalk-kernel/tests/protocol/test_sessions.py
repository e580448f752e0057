"""Several kernels: each has a folder of its own, and leaves nothing behind."""

import contextlib
import fcntl
import os
import socket
import subprocess
import time
import unittest

from jupyter_client.manager import KernelManager

from client import SESSIONS, Notebook, folders


def until(condition, seconds):
    """Waits for something that takes a moment, and says whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


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


class Reserve(unittest.TestCase):
    """A warm kernel that waits for the next notebook."""

    SOCKET = SESSIONS.parent / "reserve" / "socket"

    def setUp(self):
        os.environ["TCHALK_RESERVE"] = "1"
        self.before = folders()

    def tearDown(self):
        os.environ["TCHALK_RESERVE"] = "0"
        self.assertTrue(until(self.gone, 150), "a reserve is left")

    def gone(self):
        """Sends a reserve home, and says whether all is as it was before."""
        if self.SOCKET.exists():
            # Whoever asks for something that does not fit sends an outdated reserve home.
            with socket.socket(socket.AF_UNIX) as stranger, contextlib.suppress(OSError):
                stranger.connect(str(self.SOCKET))
                stranger.sendall(b'"another"\n{}\n')
        # Of a kernel that Jupyter had no patience with, the next one removes what is left.
        left = [SESSIONS / f"{name}.lock" for name in folders() - self.before]
        return not any(map(is_held, left)) and not self.warming()

    def warming(self):
        """Whether there is a reserve, ready or not."""
        return is_held(self.SOCKET.with_name("lock"))

    def test_the_next_notebook_is_served_by_the_reserve(self):
        first = Notebook()
        try:
            first.run("1")
            self.assertTrue(until(self.SOCKET.exists, 120), "no reserve came")
            os.environ["TCHALK_EXAMPLE"] = 'a "quoted" word'
            second = Notebook()
            try:
                self.assertFalse(self.SOCKET.exists(), "the reserve was taken")
                answer = second.run('std::env::var("TCHALK_EXAMPLE").unwrap().len()')
                self.assertEqual(answer.result(), ["15"])
                folder = second.run('println!("{}", std::env::current_dir().unwrap().display())')
                self.assertEqual(folder.text().strip(), os.getcwd())
                second.run("let kept = 1;")
                self.assertEqual(second.run("std::process::abort();").content["ename"], "ProcessEnded")
                again = second.run('std::env::var("TCHALK_EXAMPLE").is_ok()')
                self.assertEqual(again.result(), ["true"], "also after a crash")
                self.assertTrue(until(self.SOCKET.exists, 120), "the next reserve")
            finally:
                os.environ.pop("TCHALK_EXAMPLE", None)
                second.close()
        finally:
            first.close()

    def test_a_reserve_ends_with_the_kernel_that_stood_for_it(self):
        first = Notebook()
        own = folders()
        first.run("1")
        first.close()
        self.assertTrue(until(self.SOCKET.exists, 120), "no reserve came")
        # A busy machine may not have removed the first one's folder yet.
        (waiting,) = folders() - self.before - own
        second = Notebook()
        self.assertEqual(second.run("1 + 1").result(), ["2"])
        self.assertTrue(until(self.warming, 30), "the next reserve has begun")
        second.kill()
        self.assertTrue(until(lambda: waiting not in folders(), 20), "it cleans up after itself")

    def test_one_that_is_turned_off_does_not_wait_whoever_starts_it(self):
        program = KernelManager(kernel_name="tchalk").kernel_spec.argv[0]
        off = {**os.environ, "TCHALK_RESERVE": "0"}
        self.assertEqual(subprocess.run([program, "--reserve"], env=off, timeout=20).returncode, 0)
        self.assertFalse(self.warming() or self.SOCKET.exists())


class Sessions(unittest.TestCase):
    def test_two_kernels_in_turns_do_not_disturb_each_other(self):
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

    def test_ten_starts_and_stops_leave_nothing(self):
        before = folders()
        for _ in range(10):
            manager = KernelManager(kernel_name="tchalk")
            manager.start_kernel()
            manager.shutdown_kernel(now=False)
        self.assertTrue(until(lambda: folders() <= before, 20), folders() - before)

    def test_a_kernel_that_was_killed_leaves_nothing_that_stops_the_next(self):
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
