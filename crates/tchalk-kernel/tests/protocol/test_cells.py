"""One kernel, cell by cell: results, output, errors, interrupts."""

import unittest

from client import Notebook

TRAINING = """
let model = Sequential::new().input_shape([3, 32, 32])
    .add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
model.compile(Sgd::new(0.001), Loss::CategoricalCrossEntropy)?;
let train = datasets::shapes()?.train.take(500).to_tensors(Device::Cpu);
"""


def setUpModule():
    global notebook
    notebook = Notebook()
    notebook.run("use tchalk::prelude::*;")


def tearDownModule():
    notebook.close()


class Results(unittest.TestCase):
    def test_variables_are_available_in_later_cells(self):
        self.assertEqual(notebook.run("let numbers = vec![1, 2, 3];").status, "ok")
        self.assertEqual(notebook.run("numbers.iter().sum::<i32>()").result(), ["6"])

    def test_arrays_are_available_in_later_cells(self):
        reply = notebook.run("let answers = datasets::shapes()?.train.take(2).one_hot();")
        self.assertEqual(reply.status, "ok", reply.messages)
        self.assertEqual(notebook.run("let doubled = &answers * 2.0;").status, "ok")
        self.assertEqual(notebook.run("(doubled.dim(), doubled.sum())").result(), ["((2, 10), 4.0)"])

    def test_a_value_is_shown_in_its_richest_form(self):
        reply = notebook.run("runtime::report()")
        (data,) = [content["data"] for content in reply.of("execute_result")]
        self.assertIn("<table", data["text/html"])
        self.assertIn("libtorch", data["text/plain"])

    def test_a_loop_has_no_value(self):
        reply = notebook.run('for i in 0..2 { println!("{i}"); }')
        self.assertEqual((reply.text(), reply.result()), ("0\n1\n", []))

    def test_numbers_and_text_are_shown_as_they_are(self):
        for code, shown in [("let x = 5; x", "5"), ("2.5", "2.5"), ('"text"', '"text"'), ("vec![1]", "[1]")]:
            self.assertEqual(notebook.run(code).result(), [shown])

    def test_many_figures_and_text_come_in_order(self):
        reply = notebook.run("""
            let table = Table::new(["a"]);
            println!("before");
            table.show();
            println!("between");
            table.show();
            println!("after");
        """)
        kinds = [kind for kind, _ in reply.messages if kind in ("stream", "display_data")]
        self.assertEqual(kinds, ["stream", "display_data", "stream", "display_data", "stream"])

    def test_text_without_a_newline_is_shown(self):
        reply = notebook.run('print!("half a line")')
        self.assertEqual(reply.text(), "half a line")

    def test_standard_error_is_a_stream_of_its_own(self):
        reply = notebook.run('eprintln!("careful")')
        self.assertEqual((reply.text("stderr"), reply.text()), ("careful\n", ""))

    def test_a_million_lines_are_shortened(self):
        reply = notebook.run('for i in 0..1_000_000 { println!("line {i}"); }')
        text = reply.text()
        self.assertTrue(text.startswith("line 0\n") and text.endswith("line 999999\n"))
        self.assertLess(len(text), 1_000_000)
        self.assertIn("are left out here", reply.text("stderr"))

    def test_much_text_on_standard_error_is_shortened(self):
        reply = notebook.run('let line = "x".repeat(999); for _ in 0..100_000 { eprintln!("{line}"); }')
        self.assertEqual(reply.status, "ok")
        self.assertLess(len(reply.text("stderr")), 1_000_000)
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])

    def test_one_line_of_fifty_megabytes_is_shortened(self):
        reply = notebook.run('println!("{}", "x".repeat(50_000_000));')
        self.assertEqual(reply.status, "ok")
        self.assertLess(len(reply.text()), 1_000_000)
        self.assertIn("MB) are left out here", reply.text("stderr"))

    def test_output_can_be_cleared(self):
        reply = notebook.run('println!("old"); display::clear(true); println!("new");')
        kinds = [kind for kind, _ in reply.messages if kind in ("stream", "clear_output")]
        self.assertEqual(kinds, ["stream", "clear_output", "stream"])
        self.assertTrue(reply.of("clear_output")[0]["wait"])


class Live(unittest.TestCase):
    def test_of_ten_thousand_updates_the_last_one_is_shown(self):
        reply = notebook.run("""
            let mut live = display::Live::new().unwrap();
            for i in 0..10_000 { live.update(&display::Content::text(format!("step {i}"))); }
        """)
        updates = reply.of("update_display_data")
        self.assertLess(len(updates), 1_000)
        self.assertEqual(updates[-1]["data"]["text/plain"], "step 9999")

    def test_progress_changes_in_place(self):
        reply = notebook.run(TRAINING + "let history = model.fit(&train, Fit::new().epochs(200))?;")
        self.assertEqual(reply.status, "ok", reply.content)
        (shown,) = reply.of("display_data")
        updates = reply.of("update_display_data")
        self.assertGreaterEqual(len(updates), 1)
        for update in updates:
            self.assertEqual(update["transient"], shown["transient"])
        self.assertIn("val. loss", updates[-1]["data"]["text/plain"])


class Mistakes(unittest.TestCase):
    def test_a_panic_is_an_error_and_loses_nothing(self):
        notebook.run("let kept = 7;")
        reply = notebook.run("assert_eq!(1 + 1, 3);")
        self.assertEqual(reply.status, "error")
        (error,) = reply.of("error")
        self.assertEqual(error["ename"], "Panic")
        self.assertIn("left: 2", error["evalue"])
        self.assertIn("in line 1 of this cell: assert_eq!(1 + 1, 3);", error["traceback"][-1])
        self.assertEqual(notebook.run("kept").result(), ["7"])

    def test_an_err_is_an_error_with_its_message(self):
        reply = notebook.run("datasets::shapes()?.train.sample(9_999)?")
        self.assertEqual(reply.status, "error")
        self.assertIn("at most 5000 images of shapes train", reply.content["evalue"])

    def test_a_cell_that_does_not_compile_changes_nothing(self):
        notebook.run("let text = String::from(\"abc\");")
        reply = notebook.run("let number: i32 = text;")
        self.assertEqual((reply.status, reply.content["ename"]), ("error", "CompileError"))
        self.assertEqual(notebook.run("text").result(), ['"abc"'])

    def test_a_libtorch_error_is_one_sentence(self):
        reply = notebook.run("Tensor::from_slice(&[1f32, 2.0]).view([3, 5])")
        self.assertIn("libtorch says: shape '[3, 5]' is invalid for input of size 2", reply.content["evalue"])
        self.assertNotIn("frame #", str(reply.content))

    def test_compile_errors_have_advice(self):
        cases = [
            ("let a = vec![1]; drop(a); a.len()", "E0382", "was moved"),
            ("{ let mut v = vec![1]; let r = &v; v.push(2); r.len() }", "E0502", "is borrowed"),
            ("let s = { let t = String::new(); t.as_str().len(); &t };", "", "reference"),
            ("no_such_name + 1", "E0425", "no such name"),
            ('struct Hidden; format!("{:?}", Hidden)', "E0277", "derive(Debug)"),
            ("let n = datasets::shapes().train.len();", "E0609", "`?`"),
            ("let it = vec![1].into_iter().map(|x| x + 1);", "", ".collect()"),
            ("let all = vec![1].into_iter().collect();", "", "Write it"),
            ("let x = 1; x = 2;", "E0384", "let mut"),
            ("datasets::shapes();", "unused_must_use", "Put `?` after the call"),
        ]
        for code, error, advice in cases:
            with self.subTest(code):
                reply = notebook.run(code)
                self.assertEqual(reply.status, "error")
                self.assertIn(error, reply.content["evalue"])
                self.assertIn(advice, reply.content["evalue"])

    def test_an_error_of_the_library_has_advice(self):
        reply = notebook.run(
            "Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(8, 3))"
            ".add(Dense::new(10)).build(Device::Cpu)?"
        )
        self.assertIn("Try adding Flatten before it.", reply.content["evalue"])

    def test_cells_queued_behind_a_failure_are_not_run(self):
        requests = [notebook.send('panic!("no")'), notebook.send('println!("never")')]
        first, second = [notebook.collect(request) for request in requests]
        self.assertEqual((first.status, second.status), ("error", "aborted"))
        self.assertEqual(second.text(), "")

    def test_a_process_that_ended_is_replaced(self):
        notebook.run("let lost = 1;")
        reply = notebook.run("std::process::abort();")
        self.assertEqual(reply.content["ename"], "ProcessEnded")
        self.assertIn("variables are lost", reply.content["evalue"])
        self.assertEqual(notebook.run("lost").status, "error")
        self.assertEqual(notebook.run("2 + 2").result(), ["4"])


class Stop(unittest.TestCase):
    def test_stop_ends_training_and_keeps_everything(self):
        notebook.run(TRAINING)
        pressed = []

        def press(kind, _):
            if kind == "update_display_data" and not pressed:
                pressed.append(True)
                notebook.interrupt()

        reply = notebook.run(
            "let history = model.fit(&train, Fit::new().epochs(1_000_000))?; history.is_empty()",
            on_message=press,
        )
        self.assertEqual(reply.status, "ok", reply.content)
        self.assertEqual(notebook.run("train.len()").result(), ["500"])
        self.assertIn("stopped in epoch", notebook.run('println!("{history:?}")').text())
        again = notebook.run("model.fit(&train, Fit::new().epochs(2))?.len()")
        self.assertEqual(again.result(), ["2"], "the interrupt was for the cell before")

    def test_a_second_stop_ends_the_process_and_says_so(self):
        pressed = []

        def press(kind, content):
            if kind == "stream" and len(pressed) < 2:
                pressed.append(content["text"])
                notebook.interrupt()

        reply = notebook.run('println!("begun"); loop {}', on_message=press, timeout=60)
        self.assertEqual(reply.content["ename"], "ProcessEnded")
        self.assertIn("Press stop again", pressed[1])
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])

    def test_stop_between_cells_does_nothing(self):
        notebook.run("let there = 1;")
        notebook.interrupt()
        self.assertEqual(notebook.run("there").result(), ["1"])


class Input(unittest.TestCase):
    def test_input_is_requested_and_returned(self):
        request = notebook.client.execute('let name = display::input("Your name? "); name', allow_stdin=True)
        question = notebook.client.get_stdin_msg(timeout=60)
        self.assertEqual(question["content"], {"prompt": "Your name? ", "password": False})
        notebook.client.input("Ada")
        self.assertEqual(notebook.collect(request).result(), ['"Ada"'])

    def test_a_prompt_keeps_its_colons_and_an_answer_is_one_line(self):
        request = notebook.client.execute('let name = display::input("Name (a: b): "); name', allow_stdin=True)
        question = notebook.client.get_stdin_msg(timeout=60)
        self.assertEqual(question["content"]["prompt"], "Name (a: b): ")
        notebook.client.input("Ada\nLovelace")
        self.assertEqual(notebook.collect(request).result(), ['"Ada Lovelace"'])
        self.assertEqual(notebook.run("1 + 1").result(), ["2"])

    def test_a_cell_that_would_wait_forever_is_rejected(self):
        reply = notebook.run("let mut guess = String::new(); std::io::stdin().read_line(&mut guess).unwrap();")
        self.assertEqual(reply.status, "error")
        self.assertIn("display::input", reply.content["evalue"])

    def test_stop_ends_a_request_for_input(self):
        request = notebook.client.execute('let answer = display::input("? "); answer', allow_stdin=True)
        notebook.client.get_stdin_msg(timeout=60)
        notebook.interrupt()
        self.assertEqual(notebook.collect(request, timeout=30).result(), ['""'])

    def test_a_client_without_input_gives_an_empty_answer(self):
        request = notebook.client.execute('display::password("Token? ")', allow_stdin=False)
        self.assertEqual(notebook.collect(request).result(), ['""'])


class Magic(unittest.TestCase):
    def test_time_is_printed(self):
        reply = notebook.run("%%time\nlet timed = 1;\ntimed + 1")
        self.assertEqual(reply.result(), ["2"])
        self.assertRegex(reply.text(), r"took \d+(\.\d)? m?s")

    def test_line_numbers_include_the_magic(self):
        reply = notebook.run("%%time\nlet a = 1;\npanic!(\"no\");")
        self.assertIn("in line 3 of this cell", reply.content["traceback"][-1])

    def test_who_lists_variables_with_their_types(self):
        notebook.run("let listed: Vec<u8> = vec![1];")
        self.assertIn("listed: Vec<u8>", notebook.run("%who").result()[0])

    def test_clear_removes_variables_but_not_the_library(self):
        notebook.run("let forgotten = 1;")
        self.assertEqual(notebook.run(":clear").status, "ok")
        self.assertEqual(notebook.run("forgotten").status, "error")
        self.assertEqual(notebook.run("Padding::Same").result(), ["Same"])

    def test_clear_may_be_followed_by_code(self):
        notebook.run("let forgotten = 1;")
        self.assertEqual(notebook.run(":clear\nlet anew = Padding::Same; anew").result(), ["Same"])
        self.assertEqual(notebook.run("forgotten").status, "error")

    def test_restart_starts_a_new_process_with_the_library(self):
        before = notebook.run("let lost = 1; std::process::id()").result()
        self.assertEqual(notebook.run(":restart").status, "ok")
        self.assertNotEqual(notebook.run("std::process::id()").result(), before)
        self.assertEqual(notebook.run("lost").status, "error")
        self.assertEqual(notebook.run("Padding::Same").result(), ["Same"])

    def test_a_cell_cannot_end_the_kernel(self):
        notebook.run("let kept = 3;")
        self.assertIn("shut it down", notebook.run(":quit").content["evalue"])
        self.assertIn("first line", notebook.run("let a = 1;\n:clear").content["evalue"])
        self.assertEqual(notebook.run("kept").result(), ["3"])

    def test_an_unknown_magic_names_the_known_ones(self):
        self.assertIn("%%time, %%bash, %who", notebook.run("%matplotlib inline").content["evalue"])

    def test_a_question_mark_shows_the_documentation(self):
        (page,) = notebook.run("?datasets::shapes").content["payload"]
        self.assertEqual(page["source"], "page")
        self.assertIn("drawn by the library", page["data"]["text/plain"])


class Help(unittest.TestCase):
    def test_completion_knows_the_library(self):
        code = "datasets::sha"
        self.client = notebook.client
        request = self.client.complete(code, len(code))
        reply = self.wait(request)
        self.assertIn("shapes", " ".join(reply["matches"]))
        self.assertEqual(reply["cursor_end"], len(code))

    def test_inspection_shows_the_documentation(self):
        code = "datasets::shapes"
        self.client = notebook.client
        reply = self.wait(self.client.inspect(code, len(code)))
        self.assertTrue(reply["found"])
        self.assertIn("drawn by the library", reply["data"]["text/plain"])

    def test_inspection_works_inside_a_name_and_among_arguments(self):
        self.client = notebook.client
        for code, cursor, word in [
            ("datasets::shapes()", 13, "drawn by the library"),
            ("Conv2d::new(8, ", 15, "Conv2d"),
            ("let a = Conv2d::new(8, 3);", 11, "Conv2d"),
            ("%%time\ndatasets::shapes", 23, "drawn by the library"),
        ]:
            with self.subTest(code):
                reply = self.wait(self.client.inspect(code, cursor))
                self.assertTrue(reply["found"])
                self.assertIn(word, reply["data"]["text/plain"])

    def test_completion_works_after_a_magic(self):
        self.client = notebook.client
        code = "%%time\ndatasets::sha"
        reply = self.wait(self.client.complete(code, len(code)))
        self.assertIn("shapes", " ".join(reply["matches"]))
        self.assertEqual((reply["cursor_start"], reply["cursor_end"]), (len(code) - 3, len(code)))

    def test_unfinished_cells_are_recognized(self):
        self.client = notebook.client
        for code, status in [("let a = 1;", "complete"), ("fn f() {", "incomplete")]:
            self.assertEqual(self.wait(self.client.is_complete(code))["status"], status)

    def test_the_kernel_describes_itself(self):
        self.client = notebook.client
        info = self.wait(self.client.kernel_info())
        self.assertEqual(info["implementation"], "tchalk")
        self.assertRegex(info["implementation_version"], r"^\d+\.\d+\.\d+$")
        self.assertIn("tchalk", info["banner"])
        language = info["language_info"]
        self.assertEqual((language["name"], language["file_extension"]), ("rust", ".rs"))
        self.assertEqual((language["codemirror_mode"], language["pygments_lexer"]), ("rust", "rust"))
        self.assertRegex(language["version"], r"^\d+\.\d+")
        links = {link["text"]: link["url"] for link in info["help_links"]}
        self.assertIn("The Rust book", links)
        self.assertTrue(all(url.startswith("https://") for url in links.values()), links)

    def wait(self, request):
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]


if __name__ == "__main__":
    unittest.main()
