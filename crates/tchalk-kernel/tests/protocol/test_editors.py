"""Editors other than JupyterLab: VS Code's extension sends much at once, and asks in its own ways."""

import unittest

from client import Notebook


def setUpModule():
    global notebook
    notebook = Notebook()
    notebook.run("use tchalk::prelude::*;")


def tearDownModule():
    notebook.close()


def send(kind, content, channel="shell"):
    """Sends a request without waiting for anything; its id."""
    client = notebook.client
    message = client.session.msg(kind, content)
    (client.shell_channel if channel == "shell" else client.control_channel).send(message)
    return message["header"]["msg_id"]


def execute(code, **settings):
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    return send("execute_request", content | {"allow_stdin": True, "stop_on_error": False} | settings)


def told(requests, channel="shell"):
    """What came of each request: its reply, and the kinds of its messages in order, with its states."""
    client = notebook.client
    replies, messages = {}, {request: [] for request in requests}
    get = client.get_shell_msg if channel == "shell" else client.get_control_msg
    while len(replies) < len(requests):
        reply = get(timeout=60)
        if (request := reply["parent_header"].get("msg_id")) in messages:
            replies[request] = reply
    while not all(kinds[-1:] == ["idle"] for kinds in messages.values()):
        message = client.get_iopub_msg(timeout=60)
        if (request := message["parent_header"].get("msg_id")) in messages:
            kind = message["msg_type"]
            messages[request].append(message["content"]["execution_state"] if kind == "status" else kind)
    return [(replies[request], messages[request]) for request in requests]


class Editors(unittest.TestCase):
    def test_many_requests_at_once_are_all_answered(self):
        code = "datasets::sha"
        requests = [
            send("kernel_info_request", {}),
            execute("let at_once = 6;"),
            send("complete_request", {"code": code, "cursor_pos": len(code)}),
            send("kernel_info_request", {}),
            send("complete_request", {"code": "Padding::", "cursor_pos": 9}),
            execute("at_once * 7"),
            send("inspect_request", {"code": "datasets::shapes", "cursor_pos": 16, "detail_level": 1}),
            send("comm_info_request", {"target_name": "jupyter.widget"}),
            send("is_complete_request", {"code": "fn f() {"}),
        ]
        answers = told(requests)
        for reply, messages in answers:
            self.assertEqual((messages[0], messages[-1]), ("busy", "idle"))
            self.assertIn(reply["content"]["status"], ("ok", "incomplete"))
        kinds = [reply["msg_type"] for reply, _ in answers]
        executed = ["execute_reply", "complete_reply", "kernel_info_reply"]
        others = ["complete_reply", "execute_reply", "inspect_reply", "comm_info_reply", "is_complete_reply"]
        self.assertEqual(kinds, ["kernel_info_reply", *executed, *others])
        self.assertIn("shapes", " ".join(answers[2][0]["content"]["matches"]))
        self.assertIn("Same", answers[4][0]["content"]["matches"])
        self.assertEqual(answers[5][1], ["busy", "execute_input", "execute_result", "idle"])

    def test_the_control_channel_answers_while_a_cell_runs(self):
        cell = execute("std::thread::sleep(std::time::Duration::from_secs(2));")
        (info, states), = told([send("kernel_info_request", {}, "control")], "control")
        self.assertEqual(info["content"]["language_info"]["name"], "rust")
        self.assertEqual(states, ["busy", "idle"])
        (reply, _), = told([cell])
        self.assertEqual(reply["content"]["status"], "ok")

    def test_a_silent_failure_is_not_published_and_stops_nothing(self):
        requests = [
            execute("%config Completer", silent=True, store_history=False, stop_on_error=True),
            execute("no_such_name", silent=True, store_history=False, stop_on_error=True),
            execute("1 + 1"),
        ]
        (first, quiet), (second, quiet_too), (last, _) = told(requests)
        self.assertEqual((first["content"]["status"], second["content"]["status"]), ("error", "error"))
        self.assertEqual((quiet, quiet_too), (["busy", "idle"], ["busy", "idle"]))
        self.assertEqual(last["content"]["status"], "ok")

    def test_cells_that_are_not_for_the_history_are_not_counted(self):
        (before, _), = told([execute("1")])
        for settings in ({"store_history": False}, {"silent": True}):
            (reply, _), = told([execute("let uncounted = 1;", **settings)])
            self.assertEqual(reply["content"]["status"], "ok")
        (after, _), = told([execute("uncounted")])
        counts = [reply["content"]["execution_count"] for reply in (before, after)]
        self.assertEqual(counts[1], counts[0] + 1)
        request = {"hist_access_type": "tail", "n": 2, "raw": True, "output": False}
        (history, _), = told([send("history_request", request)])
        self.assertEqual([code for _, _, code in history["content"]["history"]], ["1", "uncounted"])

    def test_stop_on_error_can_be_turned_off(self):
        (failed, _), (next_one, _) = told([execute('panic!("no")'), execute("2 + 2")])
        self.assertEqual((failed["content"]["status"], next_one["content"]["status"]), ("error", "ok"))


if __name__ == "__main__":
    unittest.main()
