"""Programs that cells start, and threads that go on after their cell."""

import os
import pathlib
import tempfile
import time
import unittest

from client import Notebook, until
from test_stop import is_alive

MANY_LINES = """
let file = std::path::PathBuf::from({path!r});
std::thread::spawn(move || {{
    for line in 0..200_000 {{ println!("line {{line}} {{}}", "x".repeat(80)); }}
    std::fs::write(file, "").unwrap();
}});
"""


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook()
        cls.addClassCleanup(cls.notebook.close)
        cls.notebook.run("use std::process::Command; let kept = 41;")

    def output_of(self, request, seconds, lines):
        """What is printed below a cell that has ended, until there are this many lines."""
        text, deadline = "", time.monotonic() + seconds
        while text.count("\n") < lines and time.monotonic() < deadline:
            try:
                message = self.notebook.client.get_iopub_msg(timeout=0.2)
            except Exception:
                continue
            if message["msg_type"] == "stream":
                self.assertEqual(message["parent_header"]["msg_id"], request)
                text += message["content"]["text"]
        return text

    def test_a_program_reads_nothing(self):
        for code in [
            'Command::new("cat").status()?.success()',
            'Command::new("sh").args(["-c", "read line; echo got $line"]).status()?.code()',
            'Command::new("head").arg("/dev/stdin").spawn()?.wait()?.success()',
        ]:
            with self.subTest(code):
                self.assertEqual(self.notebook.run(code, timeout=30).status, "ok")
        self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])

    def test_standard_input_is_empty(self):
        code = 'let mut line = String::new(); std::io::Read::read_to_string(&mut std::fs::File::open("/dev/stdin")?, &mut line)?; line'
        self.assertEqual(self.notebook.run(code, timeout=30).result(), ['""'])

    def test_stop_ends_a_program_and_keeps_the_variables(self):
        request = self.notebook.send('println!("begun"); Command::new("sleep").arg("600").status()?.success()')
        while self.notebook.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        self.notebook.interrupt()
        self.assertEqual(self.notebook.collect(request, timeout=20).result(), ["false"])
        self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])

    def test_what_a_thread_prints_appears_at_once_also_when_no_cell_runs(self):
        begun = time.monotonic()
        code = """std::thread::spawn(|| for tick in 0..4 {
            std::thread::sleep(std::time::Duration::from_millis(300)); println!("tick {tick}");
        });"""
        request = self.notebook.send(code)
        self.assertEqual(self.notebook.collect(request).status, "ok")
        self.assertEqual(self.output_of(request, 10, 4), "".join(f"tick {tick}\n" for tick in range(4)))

    def test_a_progress_bar_keeps_its_last_state_and_is_no_long_text(self):
        code = """for step in 0..=200_000 { print!("\\r{step:6} of 200000 {}", "#".repeat(30)); }
        println!(); println!("done");"""
        text = self.notebook.run(code).text()
        self.assertIn("200000 of 200000", text)
        self.assertTrue(text.endswith("done\n"))
        self.assertLess(len(text), 100_000)

    def test_a_thread_is_not_held_up_by_what_it_prints(self):
        with tempfile.TemporaryDirectory() as folder:
            done = pathlib.Path(folder) / "done"
            self.notebook.run(MANY_LINES.format(path=str(done)).replace("'", '"'))
            self.assertTrue(until(done.exists, 60))
        self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])

    def test_a_figure_of_a_thread_appears_when_no_cell_runs(self):
        code = """std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            Table::new(["a"]).show();
        });"""
        request = self.notebook.send(code)
        self.assertEqual(self.notebook.collect(request).status, "ok")
        while True:
            message = self.notebook.client.get_iopub_msg(timeout=20)
            if message["msg_type"] == "display_data":
                self.assertEqual(message["parent_header"]["msg_id"], request)
                break


class Shell(unittest.TestCase):
    """Lines that begin with an exclamation mark."""

    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook()
        cls.addClassCleanup(cls.notebook.close)
        cls.notebook.run("let ready = false; let kept = 41; fn is_even(x: i32) -> bool { x % 2 == 0 }")

    def test_programs_run(self):
        for code, text in [
            ("!echo one", "one\n"),
            ("!echo one | tr o 0", "0ne\n"),
            ("! printf 'a b'", "a b"),
            ("!echo one\n!echo two", "one\ntwo\n"),
            ("// first\n!echo one\nprintln!(\"{}\", kept + 1);", "one\n42\n"),
            ("%%bash\nfor i in 1 2; do\n  echo $i\ndone", "1\n2\n"),
            ("!cat", ""),
            ("!printf ü", "ü"),
        ]:
            with self.subTest(code):
                reply = self.notebook.run(code, timeout=30)
                self.assertEqual((reply.status, reply.text()), ("ok", text))

    def test_words_alone_run(self):
        for word in ["ls", "pwd", "env", "date", "whoami"]:
            with self.subTest(word):
                reply = self.notebook.run(f"!{word}", timeout=30)
                self.assertEqual(reply.status, "ok")
                self.assertTrue(reply.text().strip())

    def test_rust_that_begins_with_an_exclamation_mark_stays_rust(self):
        for code in ["!ready", "!is_even(3)", "!(ready || false)", "!false", "!kept.is_negative()"]:
            with self.subTest(code):
                self.assertEqual(self.notebook.run(code).result(), ["true"])

    def test_a_program_that_fails_says_how(self):
        reply = self.notebook.run("!exit 3")
        self.assertIn("3", reply.text("stderr"))
        self.assertIn("no_such_program", self.notebook.run("!no_such_program").text("stderr"))

    def test_stop_ends_a_program(self):
        for code in ["!echo begun; sleep 600", "!echo begun; trap '' INT; sleep 600; sleep 600"]:
            with self.subTest(code):
                request = self.notebook.send(code)
                while self.notebook.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
                    pass
                self.notebook.interrupt()
                self.assertEqual(self.notebook.collect(request, timeout=30).content["ename"], "Stopped")
                self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])

    def test_what_a_program_prints_is_limited_and_its_end_is_shown(self):
        reply = self.notebook.run("!seq 1 500000", timeout=60)
        self.assertLess(len(reply.text()), 400_000)
        self.assertTrue(reply.text().endswith("\n500000\n"))

    def test_a_program_that_goes_on_does_not_hold_the_cell(self):
        self.assertEqual(self.notebook.run("!sleep 30 &", timeout=10).status, "ok")


class EndOfThePrograms(unittest.TestCase):
    def child_of(self, notebook):
        code = 'let child = std::process::Command::new("sleep").arg("600").spawn()?; child.id()'
        return int(notebook.run(code).result()[0])

    def test_programs_end_with_the_kernel(self):
        for end in [Notebook.close, Notebook.kill]:
            with self.subTest(end.__name__):
                notebook = Notebook()
                child = self.child_of(notebook)
                self.assertTrue(is_alive(child))
                end(notebook)
                self.assertTrue(until(lambda: not is_alive(child), 10))

    def test_programs_end_with_a_cell_process_that_crashes(self):
        notebook = Notebook()
        self.addCleanup(notebook.close)
        child = self.child_of(notebook)
        self.assertEqual(notebook.run("std::process::abort();").content["ename"], "ProcessEnded")
        self.assertTrue(until(lambda: not is_alive(child), 10))


if __name__ == "__main__":
    unittest.main()
