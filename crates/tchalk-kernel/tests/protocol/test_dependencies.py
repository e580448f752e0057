"""`:dep` lines. Tests never ask a registry: here the kernel is kept off the network."""

import pathlib
import tempfile
import unittest

from client import Notebook


class Dependencies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook()
        cls.addClassCleanup(cls.notebook.close)
        cls.notebook.run("let kept = 41;")

    def test_a_crate_that_is_not_there_names_what_keeps_the_kernel_off_the_network(self):
        reply = self.notebook.run(':dep no_such_crate_of_tchalk = "1"')
        self.assertEqual(reply.status, "error")
        self.assertIn("TCHALK_OFFLINE", reply.content["evalue"])
        self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])
        self.assertEqual(self.notebook.run("let later = 1; later").result(), ["1"])

    def test_a_line_below_code_says_where_it_belongs(self):
        reply = self.notebook.run('let a = 3;\n:dep humantime = "2"')
        self.assertEqual(reply.status, "error")
        self.assertIn("above", reply.content["evalue"])

    def test_a_crate_in_a_folder_is_added_above_code(self):
        folder = tempfile.TemporaryDirectory()
        # Later cells need it, too.
        self.addClassCleanup(folder.cleanup)
        crate = pathlib.Path(folder.name) / "mine"
        (crate / "src").mkdir(parents=True)
        (crate / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "0.1.0"\nedition = "2024"\n')
        (crate / "src/lib.rs").write_text("pub fn double(x: i32) -> i32 { 2 * x }")
        reply = self.notebook.run(f':dep mine = {{ path = "{crate}" }}\nmine::double(21)', timeout=300)
        self.assertEqual(reply.result(), ["42"], reply.content)
        self.assertEqual(self.notebook.run("kept + 1").result(), ["42"])


if __name__ == "__main__":
    unittest.main()
