"""The Jupyter project's own suite for kernels, with nothing left out."""

import unittest

import jupyter_kernel_test


class Conformance(jupyter_kernel_test.KernelTests):
    kernel_name = "tchalk"
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world")'
    code_stderr = 'eprintln!("oops")'
    completion_samples = [{"text": "Padding::Sa", "matches": {"Same"}}]
    complete_code_samples = ["let a = 1;", "fn f() {\n    1;\n}", "1 + 1"]
    incomplete_code_samples = ["fn f() {", "let a =", 'println!("abc']
    invalid_code_samples = ["let x = )", "(]"]
    code_page_something = "?datasets::shapes"
    code_generate_error = 'panic!("no")'
    code_execute_result = [{"code": "6 * 7", "result": "42"}]
    code_display_data = [
        {"code": 'Table::new(["a"]).show()', "mime": "text/html"},
        {"code": 'Table::new(["a"]).show()', "mime": "text/plain"},
    ]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "6 *?7"
    code_inspect_sample = "datasets::shapes"
    code_clear_output = "display::clear(false)"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The suite waits 15 seconds for an answer; a cold kernel may take longer for its first.
        cls.kc.execute_interactive("1", timeout=180, output_hook=lambda _: None)


if __name__ == "__main__":
    unittest.main()
