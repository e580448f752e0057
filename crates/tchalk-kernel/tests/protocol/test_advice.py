"""The words above the compiler's: they fit the case, or there are none."""

import re
import unittest

from client import Notebook

# The cell, a word of the advice (None: no advice), and a line of it that is shown.
CASES = [
    ("let first = vec![1, 2].first().copied()?;", "ok_or", 1),
    ("fn load() { let shapes = datasets::shapes()?; println!(\"{}\", shapes.train.len()); }", "-> tchalk::Result", 1),
    ("let parts: Vec<_> = (1..3).map(|i| datasets::shapes()?.test.take(i)).collect();", "closure", 1),
    ("fn first_of(v: &[i32]) -> Option<i32> { let n: i32 = \"3\".parse()?; v.first().copied() }", ".ok()?", 1),
    ("fn first_two(v: &[i32]) -> tchalk::Result<i32> {\n    let n = v.first()?;\n    Ok(*n)\n}", "ok_or", 2),
    ("std::thread::spawn(|| { let s = datasets::shapes()?; }).join().unwrap();", "closure", 1),
    ("let n = 5?;", "neither", 1),
    ("model.evaluate(tensors)", "`&`", 1),
    ("model.evaluate(&set)", "to_tensors", 1),
    ("for p in &set { println!(\"x\"); }", "0..set.len()", 1),
    ("let a: f64 = 1;", "as f64", 1),
    ("print(\"x\")", "println!", 1),
    ("x = 3", "let x", 1),
    ("import numpy as np", "use ", None),
    ("let t = 'text';", "double quotes", 1),
    ("let v = vec![1]; len(v)", ".len()", 1),
    ("let n = None2;", "no such name", 1),
    ("let b = True;", "true", 1),
    ("if true and false { }", "&&", None),
    ("def f(x):\n    return x", "fn ", None),
    ("vec![1][-1]", "v.len() - 1", 1),
]
# Names of the machinery that a reader must never see.
MACHINERY = re.compile(r"evcxr|run_user_code|LastValue|last_value|fails_cell|TCHALK_IMPL|NotebookStatic|libcode|src/lib\.rs", re.I)


class Advice(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook()
        cls.addClassCleanup(cls.notebook.close)
        reply = cls.notebook.run(
            """let set = datasets::shapes()?.test.take(20);
            let tensors = set.to_tensors(Device::Cpu);
            let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
            let model = layers.add(Softmax).build(Device::Cpu)?;
            model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy)?;"""
        )
        assert reply.status == "ok", reply.content

    def failure(self, code):
        reply = self.notebook.run(code)
        self.assertEqual(reply.status, "error", code)
        return re.sub(r"\x1b\[\d+m", "", "\n".join([reply.content["evalue"], *reply.content["traceback"]]))

    def test_each_mistake_gets_advice_that_fits_and_its_line(self):
        for code, word, line in CASES:
            with self.subTest(code):
                text = self.failure(code)
                self.assertIn(word, text)
                self.assertNotRegex(text, MACHINERY)
                if line:
                    shown = code.splitlines()[line - 1].strip()
                    self.assertRegex(text, re.compile(rf"^{line} \| .*{re.escape(shown[:20])}", re.MULTILINE))

    def test_a_suggestion_is_the_corrected_line(self):
        text = self.failure("let kept = 1;\nmodel.evaluate(tensors)")
        self.assertIn("2 | model.evaluate(&tensors)", text)
        text = self.failure("let n = vec![1, 2].lenn();")
        self.assertIn("1 | let n = vec![1, 2].len();", text)

    def test_a_bracket_is_shown_where_it_was_typed(self):
        for code, line, word in [
            ("let a = 1;\nmodel.fit(", "2 | model.fit(", "not closed"),
            ("let v = vec![1, 2;\nv", "1 | let v", "not closed"),
            ("f(1]", "1 | f(1]", "closed by"),
            ("let a = 1; }", "1 | let a = 1; }", "closes nothing"),
        ]:
            with self.subTest(code):
                text = self.failure(code)
                self.assertIn(line, text)
                self.assertIn(word, text)
                self.assertNotRegex(text, MACHINERY)

    def test_nothing_is_said_of_correct_rust(self):
        for code in ["let x = 5; x", "println!(\"this and that\")", "let is_none = None::<i32>.is_none(); is_none"]:
            self.assertEqual(self.notebook.run(code).status, "ok")


class Crash(unittest.TestCase):
    def test_a_large_array_is_named_beside_recursion(self):
        notebook = Notebook()
        self.addCleanup(notebook.close)
        reply = notebook.run("let big = [[[0f32; 3]; 1024]; 1024]; big.len()")
        self.assertIn("array", reply.content["evalue"])
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])


if __name__ == "__main__":
    unittest.main()
