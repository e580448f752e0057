"""Interrupts, restarts and crashes of a busy kernel."""

import contextlib
import os
import pathlib
import tempfile
import unittest

from client import Notebook, until

LOOP = 'println!("begun"); loop {}'

SLOW_BUILD = """
fn main() {
    let begun = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("begun");
    std::fs::write(begun, std::process::id().to_string()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(600));
}
"""


@contextlib.contextmanager
def slow_crate():
    """A crate that takes ten minutes to build, and the file that says by which process it is built."""
    with tempfile.TemporaryDirectory() as folder:
        crate = pathlib.Path(folder) / "slow"
        (crate / "src").mkdir(parents=True)
        (crate / "Cargo.toml").write_text('[package]\nname = "slow"\nversion = "0.1.0"\nedition = "2024"\n')
        (crate / "src/lib.rs").write_text("")
        (crate / "build.rs").write_text(SLOW_BUILD)
        yield crate, crate / "begun"


def is_alive(process):
    """Whether a process is there, and not only waits to be counted by its parent."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def cell_process(notebook):
    return int(notebook.run("std::process::id()").result()[0])


class WithNotebook(unittest.TestCase):
    def setUp(self):
        self.notebook = Notebook()
        self.addCleanup(self.close)

    def close(self):
        """Shuts the kernel down, if it has not been before."""
        notebook, self.notebook = self.notebook, None
        if notebook:
            notebook.close()

    def wait_for(self, text):
        """Waits until a cell has said this."""
        while True:
            message = self.notebook.client.get_iopub_msg(timeout=120)
            if message["msg_type"] == "stream" and text in message["content"]["text"]:
                return


class Stop(WithNotebook):
    def test_stop_also_ends_the_cells_queued_behind(self):
        waiting = 'println!("begun"); while !runtime::interrupt::requested() {} 1'
        requests = [self.notebook.send(code) for code in [waiting, 'println!("never")', "2"]]
        self.wait_for("begun")
        self.notebook.interrupt()
        stopped, *behind = [self.notebook.collect(request) for request in requests]
        self.assertEqual(stopped.result(), ["1"], stopped.content)
        self.assertEqual([reply.status for reply in behind], ["aborted", "aborted"])
        self.assertEqual(self.notebook.run("3").result(), ["3"])

    def test_a_double_click_loses_nothing(self):
        self.notebook.run("let kept = 5;")

        def press(kind, _):
            if kind == "stream":
                self.notebook.interrupt()
                self.notebook.interrupt()

        reply = self.notebook.run(
            'println!("begun"); while !runtime::interrupt::requested() {} '
            "std::thread::sleep(std::time::Duration::from_millis(1500)); 1",
            on_message=press,
        )
        self.assertEqual(reply.result(), ["1"], reply.content)
        self.assertEqual(self.notebook.run("kept").result(), ["5"])

    def test_stop_ends_a_cell_before_the_library_was_used(self):
        request = self.notebook.send('println!("begun"); std::thread::sleep(std::time::Duration::from_secs(3)); '
                                     "runtime::interrupt::requested()")
        self.wait_for("begun")
        self.notebook.interrupt()
        self.assertEqual(self.notebook.collect(request).result(), ["true"])

    def test_stop_ends_a_build_and_keeps_the_variables(self):
        self.notebook.run("let kept = 5;")
        with slow_crate() as (crate, begun):
            request = self.notebook.send(f':dep slow = {{ path = "{crate}" }}\nslow::nothing()')
            self.assertTrue(until(begun.exists, 120), "the build has not begun")
            self.notebook.interrupt()
            reply = self.notebook.collect(request, timeout=60)
            self.assertEqual(reply.content["ename"], "Stopped")
            self.assertIn("no variable is lost", reply.content["evalue"])
            builder = begun.read_text()
            self.assertTrue(until(lambda: not is_alive(builder), 20), "it is still being built")
        self.assertEqual(self.notebook.run("kept").result(), ["5"])


class Ends(WithNotebook):
    def test_a_busy_kernel_can_be_restarted(self):
        process = cell_process(self.notebook)
        self.notebook.send(LOOP)
        self.wait_for("begun")
        self.notebook.manager.restart_kernel()
        self.notebook.client.wait_for_ready(timeout=120)
        self.assertTrue(until(lambda: not is_alive(process), 20), "the old cell goes on")
        self.assertEqual(self.notebook.run("1 + 1").result(), ["2"])

    def test_a_killed_kernel_ends_its_cell(self):
        process = cell_process(self.notebook)
        self.notebook.send(LOOP)
        self.wait_for("begun")
        os.kill(self.notebook.manager.provisioner.pid, 9)
        self.assertTrue(until(lambda: not is_alive(process), 20), "the cell goes on")

    def test_a_kernel_that_is_shut_down_ends_its_build(self):
        with slow_crate() as (crate, begun):
            self.notebook.send(f':dep slow = {{ path = "{crate}" }}\nslow::nothing()')
            self.assertTrue(until(begun.exists, 120), "the build has not begun")
            self.close()
            builder = begun.read_text()
            self.assertTrue(until(lambda: not is_alive(builder), 20), "it is still being built")

    def test_a_killed_kernel_ends_its_build(self):
        with slow_crate() as (crate, begun):
            self.notebook.send(f':dep slow = {{ path = "{crate}" }}\nslow::nothing()')
            self.assertTrue(until(begun.exists, 120), "the build has not begun")
            os.kill(self.notebook.manager.provisioner.pid, 9)
            builder = begun.read_text()
            self.assertTrue(until(lambda: not is_alive(builder), 20), "it is still being built")

    def test_a_crash_loses_variables_but_not_the_library(self):
        self.notebook.run("let lost = 1;")
        reply = self.notebook.run("unsafe { (16 as *mut u8).write_volatile(1) }")
        self.assertEqual(reply.content["ename"], "ProcessEnded", reply.content)
        self.assertEqual(self.notebook.run("lost").status, "error")
        self.assertEqual(self.notebook.run("Padding::Same").result(), ["Same"])


if __name__ == "__main__":
    unittest.main()
