"""One kernel: cells that fail, that end their process, or that show too much."""

import unittest

from client import Notebook


def setUpModule():
    global notebook
    notebook = Notebook()
    notebook.run("use tchalk::prelude::*;")


def tearDownModule():
    notebook.close()


class Words(unittest.TestCase):
    """Output, error message, and location of a failure."""

    def test_text_before_a_panic_is_output(self):
        reply = notebook.run('let v = vec![1];\neprintln!("v: {v:?}");\nlet index = 9;\nv[index]')
        self.assertEqual(reply.text("stderr"), "v: [1]\n")
        self.assertEqual(reply.content["evalue"], "index out of bounds: the len is 1 but the index is 9")
        self.assertEqual(reply.content["traceback"][-1], "  in line 4 of this cell: v[index]")

    def test_text_before_an_error_is_output(self):
        reply = notebook.run('eprintln!("loading");\nstd::fs::read("there is none")?')
        self.assertEqual(reply.text("stderr"), "loading\n")
        self.assertEqual(reply.content["evalue"], "No such file or directory (os error 2)")

    def test_an_unfinished_line_before_a_failure_is_output(self):
        for failing in ['std::fs::read("there is none")?', 'panic!("No such file or directory (os error 2)")']:
            with self.subTest(failing):
                reply = notebook.run(f'eprintln!("first"); eprint!("then ");\n{failing}')
                self.assertEqual(reply.text("stderr").rstrip("\n"), "first\nthen ")
                self.assertEqual(reply.content["evalue"], "No such file or directory (os error 2)")

    def test_of_two_equal_lines_the_failing_one_is_named(self):
        reply = notebook.run('std::fs::metadata(".")?;\nlet n = 1;\nstd::fs::metadata(["none", "."][n - 1])?;\n'
                             'let n = 2;\nstd::fs::metadata(["none", "."][n - 1])?;')
        self.assertIn("in line 3 of this cell: ", reply.content["traceback"][-1])
        reply = notebook.run('let mut left = 1;\nif left == 0 { panic!("none") }\nleft -= 1;\n'
                             'if left == 0 { panic!("none") }')
        self.assertIn("in line 4 of this cell: ", reply.content["traceback"][-1])

    def test_libtorch_s_sources_are_not_named(self):
        reply = notebook.run("let a = Tensor::from_slice(&[1f32, 2.0]);\na.matmul(&Tensor::from_slice(&[1f32]))")
        self.assertIn("libtorch says", reply.content["evalue"])
        self.assertNotIn("registry", str(reply.content))

    def test_a_caught_panic_and_later_text_are_output(self):
        reply = notebook.run('let _ = std::panic::catch_unwind(|| panic!("caught")); eprintln!("it goes on");')
        self.assertEqual(reply.status, "ok")
        self.assertIn("\ncaught\n", reply.text("stderr"))
        self.assertTrue(reply.text("stderr").endswith("\nit goes on\n"))

    def test_the_panic_of_a_thread_does_not_fail_the_cell(self):
        reply = notebook.run(
            'let _ = std::thread::spawn(|| panic!("inner")).join();\n'
            'for i in 0..30_000 { eprintln!("line {i}"); }\npanic!("outer")'
        )
        self.assertEqual(reply.content["evalue"], "outer")
        self.assertIn("\ninner\n", reply.text("stderr"))
        self.assertTrue(reply.text("stderr").endswith("line 29999\n"))
        self.assertIn("are left out here", reply.text("stderr"))

    def test_a_lack_of_memory_is_explained_in_two_sentences(self):
        reply = notebook.run("Tensor::zeros([1i64 << 42], (tchalk::tch::Kind::Float, tchalk::tch::Device::Cpu))")
        self.assertIn("The computer's memory does not suffice.", reply.content["evalue"])
        self.assertIn("smaller batch_size", reply.content["evalue"])
        self.assertNotIn("frame #", str(reply.content))

    def test_borrowing_errors_have_advice(self):
        cases = [
            ("{ let v = vec![1]; let r = &v; drop(v); r.len() }", "E0505", "Move a copy"),
            ('{ let r; { let s = String::new(); r = &s; } r.len() }', "E0597", "Name the value"),
            ('let n = 3; std::thread::spawn(|| println!("{n}"));', "E0373", "Write `move`"),
        ]
        for code, error, advice in cases:
            with self.subTest(error):
                reply = notebook.run(code)
                self.assertIn(error, reply.content["evalue"])
                self.assertIn(advice, reply.content["evalue"])

    def test_a_value_moved_by_an_earlier_cell_has_advice(self):
        self.assertEqual(notebook.run("let given = vec![1];").status, "ok")
        self.assertEqual(notebook.run("drop(given);").status, "ok")
        reply = notebook.run("given.len()")
        self.assertIn("E0425", reply.content["evalue"])
        self.assertIn("moved in an earlier cell", reply.content["evalue"])


class Kept(unittest.TestCase):
    """A cell that redefines a variable and fails."""

    def test_the_old_value_is_kept(self):
        failing = [
            'let old = std::fs::read("there is none")?;',
            "let n = 9;\nlet old = vec![1][n..].to_vec();\nold.len()",
            'let (old, other) = (vec![1], std::fs::read("there is none")?);',
        ]
        for code in failing:
            with self.subTest(code):
                notebook.run("let old = vec![1, 2]; let beside = 3;")
                self.assertEqual(notebook.run(code).status, "error")
                self.assertEqual(notebook.run("(old.len(), beside)").result(), ["(2, 3)"])
                self.assertEqual(notebook.run("let old = vec![5]; old").result(), ["[5]"])

    def test_the_old_value_is_kept_when_the_library_fails(self):
        notebook.run("let tensor = Tensor::from_slice(&[1f32]);")
        self.assertEqual(notebook.run("let tensor = Tensor::from_slice(&[1f32, 2.0]).view([3, 5]);").status, "error")
        self.assertEqual(notebook.run("tensor.size()").result(), ["[1]"])

    def test_a_value_that_was_used_is_named_as_lost(self):
        notebook.run("let used = vec![1];")
        reply = notebook.run('let used = { drop(used); std::fs::read("there is none")? };')
        self.assertEqual(reply.content["evalue"], "No such file or directory (os error 2)")
        self.assertIn("`used` was to be redefined", reply.content["traceback"][-1])


class Ends(unittest.TestCase):
    """The cell's process ends before the cell."""

    def test_text_before_the_end_is_output(self):
        ends = {
            "std::process::abort()": "SIGABRT",
            "std::process::exit(3)": "exit status: 3",
            "deep(1)": "SIGSEGV",
            "unsafe { *(8 as *mut u8) = 1 }": "SIGSEGV",
        }
        deep = "#[allow(unconditional_recursion)] fn deep(n: u64) -> u64 { deep(n + 1) + [n; 99][n as usize % 99] }\n"
        write = 'for i in 0..5_000 { println!("line {i}"); eprintln!("error {i}"); }\nprint!("half\\nof a line");\n'
        for code, how in ends.items():
            with self.subTest(code):
                flush = "" if "exit" in code else "std::io::Write::flush(&mut std::io::stdout())?;\n"
                reply = notebook.run(f"{deep}{write}{flush}{code};")
                self.assertEqual(reply.content["ename"], "ProcessEnded")
                self.assertIn(how, reply.content["evalue"])
                self.assertTrue(reply.text().endswith("line 4999\nhalf\nof a line"), reply.text()[-40:])
                self.assertTrue(reply.text("stderr").endswith("error 4999\n"), reply.text("stderr")[-40:])
                if how == "SIGSEGV":
                    self.assertIn("calls itself without end", reply.content["evalue"])
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])

    def test_a_killed_process_is_explained(self):
        reply = notebook.run('std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status()?; loop {}')
        self.assertIn("SIGKILL", reply.content["evalue"])
        self.assertIn("memory was probably full", reply.content["evalue"])


class TooMuch(unittest.TestCase):
    """Limits of what a page shows."""

    def test_a_long_value_is_shortened(self):
        for code in ["vec![0.5f32; 2_000_000]", "display::Content::text(\"x\".repeat(9_000_000))"]:
            with self.subTest(code):
                (value,) = notebook.run(code).result()
                self.assertLess(len(value), 20_000)
                self.assertIn("MB are left out here", value)

    def test_a_long_error_is_shortened(self):
        reply = notebook.run("assert_eq!(vec![1; 500_000], vec![2; 500_000]);")
        self.assertIn("left: [1, 1", reply.content["evalue"])
        self.assertTrue(reply.content["evalue"].endswith("2, 2]"))
        self.assertLess(len(str(reply.content)), 100_000)

    def test_an_animation_is_shown_at_intervals(self):
        reply = notebook.run("""
            for i in 0..10_000 { display::clear(true); println!("frame {i} {}", ".".repeat(1_000)); }
        """)
        kinds = [kind for kind, _ in reply.messages if kind in ("stream", "clear_output")]
        self.assertLess(len(kinds), 2_000)
        self.assertEqual(kinds[-2:], ["clear_output", "stream"])
        self.assertTrue(reply.of("stream")[-1]["text"].startswith("frame 9999 "))

    def test_the_limit_is_reported_before_the_cell_is_done(self):
        seen = []

        def stop(kind, content):
            if kind == "stream" and "this is much text" in content["text"]:
                seen.append(kind)
                notebook.interrupt()

        reply = notebook.run(
            'while !runtime::interrupt::requested() { println!("{}", "x".repeat(1_000)); }', on_message=stop
        )
        self.assertEqual((reply.status, seen), ("ok", ["stream"]))

    def test_long_text_without_a_newline_is_shown(self):
        seen = []

        def stop(kind, content):
            if kind == "stream" and not seen:
                seen.append(kind)
                notebook.interrupt()

        reply = notebook.run('while !runtime::interrupt::requested() { print!("."); }', on_message=stop)
        self.assertEqual((reply.status, seen), ("ok", ["stream"]))


if __name__ == "__main__":
    unittest.main()
