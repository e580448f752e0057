"""Cells that are compiled without cargo: they behave as with cargo, and cargo runs when it must."""

import os
import pathlib
import tempfile
import unittest

from client import SESSIONS, Notebook, folders


class Log:
    """How the cells of a session were built, one word for each build."""

    def __init__(self, session):
        self.file = SESSIONS / session / "quick/log"
        self.seen = 0
        self.new()

    def new(self):
        words = self.file.read_text().split() if self.file.exists() else []
        new, self.seen = words[self.seen:], len(words)
        return new


def setUpModule():
    global notebook, log, plain, crates
    crates = tempfile.TemporaryDirectory()
    before = folders()
    notebook = Notebook()
    notebook.run("use tchalk::prelude::*;")
    (session,) = folders() - before
    log = Log(session)
    os.environ["TCHALK_QUICK_CELLS"] = "0"
    plain = Notebook()
    del os.environ["TCHALK_QUICK_CELLS"]


def tearDownModule():
    notebook.close()
    plain.close()
    crates.cleanup()


def ok(code):
    reply = notebook.run(code)
    assert reply.status == "ok", reply.content
    return reply


class Mistakes(unittest.TestCase):
    maxDiff = None

    def test_errors_are_the_same_as_with_cargo(self):
        prepare = "let words = vec![String::new()];"
        self.assertEqual((notebook.run(prepare).status, plain.run(prepare).status), ("ok", "ok"))
        log.new()
        mistakes = [
            "let a = words; let b = words; b.len()",
            "let number: i32 = \"text\";",
            "nothing + 1",
            "let short = { let local = 1; &local };",
            '"1".parse::<i32>();',
            "std::fs::read(\"/nowhere\")?",
            "panic!(\"on purpose\")",
            "words.iter().map(|word| word.missing()).count()",
            "struct Plain;\nformat!(\"{:?}\", Plain)",
        ]
        for mistake in mistakes:
            ours, cargos = notebook.run(mistake), plain.run(mistake)
            for content in ours.content, cargos.content:
                content.pop("execution_count", None)
            if ours.content["ename"] == "Error":
                # Where a `?` stands is known of quick cells alone.
                self.assertIn("in line 1 of this cell", ours.content["traceback"].pop())
            self.assertEqual(ours.content, cargos.content, mistake)
            self.assertEqual(ours.text("stderr"), cargos.text("stderr"), mistake)
        self.assertNotIn("cargo", log.new())

    def test_a_type_that_cannot_be_inferred_is_reported_without_cargo(self):
        log.new()
        reply = notebook.run("let unknown = Vec::new();")
        self.assertIn("E0282", reply.content["evalue"])
        reply = notebook.run("let closure = |x: i32| x + 1;")
        self.assertIn("closure", reply.content["evalue"])
        self.assertEqual(log.new(), ["check", "check"])


class QuickCells(unittest.TestCase):
    def setUp(self):
        # `?` is understood from its first use on, which takes two builds.
        ok('let _ignored = "1".parse::<i32>()?;')
        log.new()

    def test_an_ordinary_cell_is_built_once_and_without_cargo(self):
        cells = [
            'println!("text");', "let quick = 2.5;", "quick * 2.0", "fn double(x: f64) -> f64 { x * 2.0 }",
            "double(quick)", "struct Point { x: f64 }\nlet point = Point { x: 1.0 };", "point.x",
            '"12".parse::<i32>()?', "for i in 0..2 { println!(\"{i}\"); }", "datasets::shapes()?.train.len()",
        ]
        for cell in cells:
            ok(cell)
            self.assertEqual(log.new(), ["quick"], cell)

    def test_code_for_common_types_is_compiled_in_advance(self):
        fingerprint = log.file.with_name("cell_runtime.fingerprint").read_text()
        self.assertEqual(fingerprint.splitlines()[0], "with instances")

    def test_variables_pass_between_cells_of_both_kinds(self):
        ok("let shared = vec![1, 2, 3];")
        # The file is found from the place that cargo compiles in only.
        ok('let manifest = include_str!("../Cargo.toml").len(); shared.len() + manifest')
        self.assertEqual(log.new(), ["quick", "plain"])
        self.assertEqual(ok("shared.len() + manifest.min(1)").result(), ["4"])
        self.assertEqual(log.new(), ["quick"])

    def test_a_redefined_type_loses_its_variables(self):
        ok("struct Thing { a: i32 }\nlet thing = Thing { a: 1 };")
        ok("struct Thing { a: f64, b: f64 }")
        reply = notebook.run("thing.a")
        self.assertEqual(reply.status, "error")
        self.assertEqual(ok("1 + 1").result(), ["2"])

    def test_a_panic_names_the_line_of_the_cell(self):
        reply = notebook.run('let fine = 1;\npanic!("here");')
        self.assertIn("in line 2 of this cell", "\n".join(reply.content["traceback"]))

    def test_attributes_have_an_effect(self):
        ok("#![deny(unused_variables)]\n1")
        reply = notebook.run("{ let unused = 1; }")
        self.assertEqual(reply.status, "error")
        ok("#![allow(unused_variables)]\n1")

    def test_a_new_dependency_and_its_changes_reach_cargo(self):
        crate = pathlib.Path(crates.name) / "answers"
        source = crate / "src/lib.rs"
        source.parent.mkdir(parents=True)
        (crate / "Cargo.toml").write_text('[package]\nname = "answers"\nversion = "1.0.0"\nedition = "2024"\n')
        source.write_text("pub fn answer() -> i32 { 41 }")
        self.assertEqual(ok(f':dep answers = {{ path = "{crate}" }}\nanswers::answer()').result(), ["41"])
        self.assertIn("cargo", log.new())
        self.assertEqual(ok("answers::answer() + 1").result(), ["42"])
        self.assertEqual(log.new(), ["quick"])
        ok("let given = answers::answer();")
        self.assertIn("given: i32", notebook.run("%who").result()[0])
        log.new()
        source.write_text("pub fn answer() -> i32 { 99 }")
        self.assertEqual(ok("answers::answer() + 2").result(), ["101"])
        self.assertIn("cargo", log.new())
        ok("1 + 1")
        self.assertEqual(log.new(), ["quick"])

    def test_another_way_to_build_reaches_cargo(self):
        ok(":build_env TCHALK_TEST_VALUE=seven\n1")
        self.assertEqual(ok('env!("TCHALK_TEST_VALUE")').result(), ['"seven"'])
        self.assertIn("cargo", log.new())

    def test_cells_see_the_environment_of_the_reader(self):
        path = ok('std::env::var("PATH").unwrap()').result()[0]
        self.assertNotIn("quick", path)
        self.assertEqual(ok('std::env::vars().filter(|(name, _)| name.starts_with("TCHALK_QUICK")).count()').result(), ["0"])


if __name__ == "__main__":
    unittest.main()
