"""Kernels at unusual paths, for other users, and with settings for other programs."""

import contextlib
import itertools
import json
import os
import pathlib
import shlex
import stat
import subprocess
import tempfile
import unittest

from jupyter_client.manager import KernelManager

from client import SESSIONS, Notebook, until

STATE = SESSIONS.parent
SPEC = KernelManager(kernel_name="tchalk").kernel_spec
ODD = "a b, c's Prüfung Pru\u0308fung " + "x" * 80
TRAINING = """
use tchalk::prelude::*;
let train = datasets::shapes()?.train.take(50).to_tensors(Device::Cpu);
let model = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10)).add(Softmax)
    .build(Device::Cpu)?;
model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
model.fit(&train, Fit::new().epochs(2).batch_size(50))?.len()
"""


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Places(unittest.TestCase):
    numbers = itertools.count()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def state(self, place):
        """A state folder with the checkout's own template in it."""
        place.mkdir(parents=True)
        for name in ("template", "template.stamp", ".cargo"):
            (place / name).symlink_to(STATE / name)
        return place

    @contextlib.contextmanager
    def notebook(self, state, umask=None, folder=None, **variables):
        """A notebook whose kernel has this state and these variables."""
        name = f"tchalk-{next(self.numbers)}"
        start = SPEC.argv if umask is None else ["sh", "-c", f"umask {umask}; exec {shlex.join(SPEC.argv)}"]
        environment = {**SPEC.env, "TCHALK_STATE": str(state), "TCHALK_PREWARM": "0", **variables}
        spec = {**SPEC.to_dict(), "argv": start, "env": environment}
        kernels = self.folder / "jupyter/kernels" / name
        kernels.mkdir(parents=True)
        (kernels / "kernel.json").write_text(json.dumps(spec))
        before, os.environ["JUPYTER_PATH"] = os.environ.get("JUPYTER_PATH"), str(self.folder / "jupyter")
        try:
            notebook = Notebook(name, **({"cwd": folder} if folder else {}))
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before
        try:
            yield notebook
        finally:
            notebook.close()

    def trains(self, notebook):
        """Trains, in cells that are compiled without cargo; returns the session's folder."""
        reply = notebook.run(TRAINING)
        self.assertEqual((reply.status, reply.result()), ("ok", ["2"]), reply.content)
        session = pathlib.Path(json.loads(notebook.run('std::env::var("EVCXR_TMPDIR").unwrap()').result()[0]))
        self.assertEqual((session / "quick/log").read_text().split()[-1], "quick")
        return session

    def test_any_path_and_any_umask_work(self):
        (self.folder / "real").mkdir()
        (self.folder / "link").symlink_to("real")
        state = self.state(self.folder / "link" / ODD)
        with self.notebook(state, umask="000") as notebook:
            session = self.trains(notebook)
            self.assertEqual(session.resolve().parent, (state / "sessions").resolve())
            for folder in (session, session.parent, state / "sessions"):
                self.assertEqual(oct(mode(folder)), "0o700", folder)
        self.assertFalse(session.is_symlink() or session.with_suffix(".s").exists())
        self.assertEqual(list((state / "sessions").iterdir()), [])

    def test_a_prewarmed_kernel_waits_at_any_path(self):
        state = self.state(self.folder / ODD)
        environment = {**os.environ, **SPEC.env, "TCHALK_STATE": str(state), "TCHALK_PREWARM": "1"}
        environment["PATH"] = SPEC.env["PATH"].replace("${PATH}", os.environ["PATH"])
        prewarmed = subprocess.Popen([SPEC.argv[0], "--prewarm"], env=environment, stderr=subprocess.PIPE)
        try:
            waits = until(lambda: (state / "prewarmed/socket").exists() or prewarmed.poll() is not None, 120)
            self.assertTrue(waits and prewarmed.poll() is None, prewarmed.poll())
        finally:
            prewarmed.kill()
            prewarmed.communicate()

    def test_another_users_state_is_used_from_the_users_own_cache(self):
        state = self.state(self.folder / "state")
        # What no user can make a folder of theirs: not even root, who runs some tests.
        (state / "sessions").write_text("")
        with self.notebook(state, umask="077", XDG_CACHE_HOME=str(self.folder / "own cache")) as notebook:
            session = self.trains(notebook).resolve()
        self.assertTrue(session.is_relative_to((self.folder / "own cache/tchalk/checkouts/state/sessions").resolve()))

    def test_without_a_cache_the_systems_folder_is_used(self):
        state = self.state(self.folder / "state")
        for name in ("state/sessions", "cache", "runtime"):
            (self.folder / name).write_text("")
        with self.notebook(state, XDG_CACHE_HOME=str(self.folder / "cache"),
                           XDG_RUNTIME_DIR=str(self.folder / "runtime")) as notebook:
            session = self.trains(notebook).resolve()
        self.assertIn(f"tchalk-{os.geteuid()}", str(session))

    def test_settings_and_linkers_of_the_reader_do_not_matter(self):
        tools = self.folder / "tools"
        tools.mkdir()
        for name in ("mold", "lld"):
            (tools / name).write_text("#!/bin/sh\nexit 1\n")
            (tools / name).chmod(0o755)
        (self.folder / "evcxr.toml").write_text("[evcxr\n")
        settings = self.folder / "settings"
        settings.mkdir()
        (settings / "evcxr.toml").write_text('[evcxr]\ntmpdir = "/nowhere"\n')
        (settings / "init.evcxr").write_text(":nonsense")
        path = f"{tools}:" + SPEC.env["PATH"]
        state = self.state(self.folder / "state")
        with self.notebook(state, folder=str(self.folder), PATH=path, EVCXR_CONFIG_DIR=str(settings)) as notebook:
            self.trains(notebook)
            seen = notebook.run('std::env::current_dir()?.join("evcxr.toml").exists()').result()
            self.assertEqual(seen, ["true"], "cells run in the notebook's folder")
            self.assertIn(str(tools), notebook.run('std::env::var("PATH").unwrap()').result()[0])

    def test_another_libtorch_on_the_library_path_is_not_used(self):
        for name in ("libtorch_cpu.so", "libc10.so", "libtorch.so"):
            source = self.folder / "empty.c"
            source.write_text("")
            subprocess.run(["cc", "-shared", "-o", self.folder / name, source], check=True)
        with self.notebook(self.state(self.folder / "state"), LD_LIBRARY_PATH=str(self.folder)) as notebook:
            self.trains(notebook)

    def test_configurations_of_cargo_do_not_matter(self):
        (self.folder / ".cargo").mkdir()
        (self.folder / ".cargo/config.toml").write_text(
            '[build]\ntarget = "wasm32-unknown-unknown"\ntarget-dir = "/nowhere"\nrustc-wrapper = "/no-wrapper"\n'
            'rustc-workspace-wrapper = "/no-wrapper"\nrustflags = ["--nonsense"]\n'
        )
        with self.notebook(self.state(self.folder / "state")) as notebook:
            self.trains(notebook)
            # Types are told by rust-analyzer, which asks cargo on its own.
            self.assertEqual(notebook.run("let pair = (1.5, vec![Some(1u8)]);").status, "ok")
            self.assertIn("pair: (f64, Vec<Option<u8>>)", notebook.run("%who").result()[0])


class Warming(unittest.TestCase):
    def test_the_error_names_the_cause_when_the_library_is_missing(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            library = folder / "Pru\u0308fung/tchalk"
            (library / "src").mkdir(parents=True)
            (library / "src/lib.rs").write_text("")
            (library / "Cargo.toml").write_text(
                '[package]\nname = "tchalk"\nversion = "1.0.0"\nedition = "2024"\n'
                '[dependencies]\ntchalk-has-no-such-crate = "1"\n'
            )
            environment = {**os.environ, **SPEC.env, "TCHALK_STATE": name, "TCHALK_LIBRARY": str(library)}
            environment["PATH"] = SPEC.env["PATH"].replace("${PATH}", os.environ["PATH"])
            warm = subprocess.run([SPEC.argv[0], "--warm"], env=environment, capture_output=True, text=True)
            self.assertNotEqual(warm.returncode, 0)
            self.assertIn("no matching package named `tchalk-has-no-such-crate` found", warm.stderr)


if __name__ == "__main__":
    unittest.main()
