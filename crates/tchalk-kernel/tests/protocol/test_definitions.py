"""Cells that are changed and run again: what they define is replaced."""

import unittest

from client import Notebook

NEW = "fn area(r: f64) -> f64 { r }"


class Definitions(unittest.TestCase):
    def setUp(self):
        self.notebook = Notebook()
        self.addCleanup(self.notebook.close)

    def run_all(self, *cells):
        for cell in cells:
            reply = self.notebook.run(cell)
            self.assertEqual(reply.status, "ok", (cell, reply.content))
        return reply

    def test_methods_and_traits_are_replaced(self):
        self.run_all(
            "#[derive(Debug, Clone)] struct Point { x: f64 }",
            "impl Point { fn double(&self) -> f64 { 2.0 * self.x } fn half(&self) -> f64 { self.x / 2.0 } }",
            "impl std::fmt::Display for Point {\n fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {\n"
            ' write!(f, "({})", self.x) } }',
            "impl Default for Point { fn default() -> Self { Point { x: 1.0 } } }",
            "trait Name { fn name(&self) -> String; }\nimpl Name for Point { fn name(&self) -> String { \"a\".into() } }",
            "let kept = 41;",
            # And again, changed.
            "impl Point { fn double(&self) -> f64 { 3.0 * self.x } }",
            "impl std::fmt::Display for Point {\n fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {\n"
            ' write!(f, "<{}>", self.x) } }',
            "impl Default for Point { fn default() -> Self { Point { x: 4.0 } } }",
            "trait Name { fn name(&self) -> String; }\nimpl Name for Point { fn name(&self) -> String { \"b\".into() } }",
        )
        code = 'let p = Point::default(); format!("{p} {} {} {}", p.double(), p.half(), p.name())'
        self.assertEqual(self.run_all(code).result(), ['"<4> 12 2 b"'])
        self.assertEqual(self.run_all("kept + 1").result(), ["42"])

    def test_a_field_can_be_renamed(self):
        self.run_all(
            "#[derive(Debug, Clone)] struct Point { x: f64 }",
            "impl Point { fn double(&self) -> f64 { 2.0 * self.x } }",
            "fn origin() -> Point { Point { x: 0.0 } }",
        )
        reply = self.run_all("#[derive(Debug, Clone)] struct Point { left: f64 }")
        for words in ["Point::double", "origin", "[2]", "[3]"]:
            self.assertIn(words, reply.text("stderr"))
        self.run_all("impl Point { fn double(&self) -> f64 { 2.0 * self.left } }")
        self.assertEqual(self.run_all("Point { left: 2.0 }.double()").result(), ["4.0"])

    def test_a_function_that_older_cells_use_can_be_changed(self):
        self.run_all(
            "fn area(r: f64, pi: f64) -> f64 { r * r * pi }",
            "fn uses() -> f64 { area(1.0, 2.0) }",
            "let kept = 41;",
        )
        reply = self.run_all(NEW)
        self.assertIn("`uses`", reply.text("stderr"))
        self.assertIn("[2]", reply.text("stderr"))
        self.assertEqual(self.run_all("area(3.0)").result(), ["3.0"])
        reply = self.notebook.run("uses()")
        self.assertEqual(reply.status, "error")
        self.assertIn("[2]", reply.content["evalue"])
        self.run_all("fn uses() -> f64 { area(1.0) }")
        self.assertEqual(self.run_all("uses() + kept as f64").result(), ["42.0"])

    def test_a_cascade_is_removed_whole(self):
        self.run_all(
            "struct Side { length: f64 }",
            "struct Square { side: Side }\nimpl Square { fn area(&self) -> f64 { self.side.length * self.side.length } }",
            "fn grow(s: Square) -> f64 { s.area() * 2.0 }",
        )
        reply = self.run_all("struct Side { meters: f64 }")
        self.assertIn("Square::area", reply.text("stderr"))
        self.assertIn("grow", reply.text("stderr"))
        self.run_all("1 + 1")

    def test_a_mistake_in_the_cell_itself_removes_nothing(self):
        self.run_all("fn area(r: f64, pi: f64) -> f64 { r * r * pi }", "fn uses() -> f64 { area(1.0, 2.0) }")
        self.assertEqual(self.notebook.run("fn area(r: f64) -> f64 { r + nothing }").status, "error")
        self.assertEqual(self.run_all("uses()").result(), ["2.0"])

    def test_an_impl_that_is_taken_out_of_its_cell_is_gone(self):
        self.run_all("struct P;\nimpl P { fn a(&self) -> i32 { 1 } fn b(&self) -> i32 { 2 } }", "P.b()")
        self.run_all("struct P;\nimpl P { fn a(&self) -> i32 { 3 } }")
        self.assertEqual(self.run_all("P.a()").result(), ["3"])
        self.assertEqual(self.notebook.run("P.b()").status, "error")

    def test_macros_and_generic_items_are_replaced(self):
        self.run_all(
            "macro_rules! five { () => { 5 } }",
            "struct Pair<T>(T, T);\nimpl<T: Copy> Pair<T> { fn first(&self) -> T { self.0 } }",
            "macro_rules! five { () => { 6 } }",
            "impl<T: Copy> Pair<T> { fn first(&self) -> T { self.1 } }",
        )
        self.assertEqual(self.run_all("five!() + Pair(1, 2).first()").result(), ["8"])

    def test_a_static_goes_on_counting(self):
        self.run_all(
            "use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};",
            "static COUNT: AtomicUsize = AtomicUsize::new(5);",
            "fn count() -> usize { COUNT.fetch_add(1, SeqCst) + 1 }",
            "count()",
        )
        self.assertEqual(self.run_all("count()").result(), ["7"])
        self.assertEqual(self.run_all("COUNT.load(SeqCst)").result(), ["7"])
        self.run_all("static LIST: std::sync::Mutex<Vec<i32>> = std::sync::Mutex::new(Vec::new());", "LIST.lock()?.push(1);")
        self.assertEqual(self.run_all("LIST.lock()?.len()").result(), ["1"])
        self.run_all("static COUNT: AtomicUsize = AtomicUsize::new(1);")
        self.assertEqual(self.run_all("count()").result(), ["2"])

    def test_a_thread_local_variable_keeps_its_value(self):
        self.run_all(
            "use std::cell::{Cell, RefCell};",
            "thread_local! {\n    static SEEN: Cell<i32> = Cell::new(1);\n    static LIST: RefCell<Vec<i32>> = RefCell::new(vec![]);\n}",
            "SEEN.set(SEEN.get() + 1); LIST.with_borrow_mut(|list| list.push(3));",
        )
        self.assertEqual(self.run_all("(SEEN.get(), LIST.with(|list| list.borrow().clone()))").result(), ["(2, [3])"])
        self.run_all("thread_local! { static SEEN: Cell<i32> = Cell::new(7) }")
        self.assertEqual(self.run_all("SEEN.with(|seen| seen.get())").result(), ["7"])

    def test_errors_are_those_of_the_cell(self):
        self.run_all("macro_rules! five { () => { 5 } }", "fn unused() {}")
        reply = self.notebook.run("let z: u32 = -1;")
        self.assertNotIn("unused", "".join(reply.content["traceback"]))
        self.assertNotIn("five", "".join(reply.content["traceback"]))

    def test_a_line_of_an_impl_keeps_its_number_and_column(self):
        self.run_all("struct P;")
        reply = self.notebook.run("impl P {\n    fn a(&self) -> i32 { 1 }\n    fn b(&self) -> i32 { nothing }\n}")
        text = "".join(reply.content["traceback"])
        self.assertIn("3 |", text)
        self.assertIn("fn b(&self) -> i32 { nothing }", text)


if __name__ == "__main__":
    unittest.main()
