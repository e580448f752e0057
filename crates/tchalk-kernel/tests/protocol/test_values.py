"""What a cell ends in: everything that can be shown is shown, however the cell gets it."""

import pathlib
import re
import unittest

from client import Notebook

SOURCES = pathlib.Path(__file__).parents[3] / "tchalk/src"

# A value of each public type that implements Show.
VALUES = {
    "Attribution": 'explain::saliency(&model, &image, None)?',
    "Augmentation": "Augmentation::new().random_flip()",
    "BarPanel": 'BarPanel::new("a").bars([("b".to_owned(), 1.0)])',
    "Calibration": "predictions.calibration()?",
    "Checklist": "check::model(&model, &tensors)",
    "ClassificationReport": "predictions.classification_report()?",
    "Comparison": 'Ensemble::average(&[&model, &model])?.compare(&tensors)?',
    "ConfusedPairs": "predictions.most_confused(2)?",
    "ConfusionMatrix": "predictions.confusion_matrix()?",
    "CsvTable": 'CsvTable::read(&csv)?',
    "Diagram": "model.diagram()",
    "Difference": "evaluation.difference(&evaluation)",
    "Embedding": "Pca::new(2).fit_transform(&set)?",
    "Ensemble": "Ensemble::average(&[&model, &model])?",
    "Evaluation": "model.evaluate(&tensors)?",
    "Figure": "set.image_grid(1, 2)?",
    "FittedPca": "Pca::new(2).fit(&set)?",
    "GradCam": 'explain::grad_cam(&model, "conv2d", &image)?',
    "HeatGrid": 'HeatGrid::new(1).map(HeatMap::new("a", Pca::new(2).fit_transform(&set)?.points()))',
    "HistogramPanel": 'HistogramPanel::new("a").counts(0.0, 1.0, [1.0, 2.0])',
    "History": "model.history()",
    "Image": "set.image(0)",
    "LinePanel": 'LinePanel::new("a").line(Line::new("b", vec![(1.0, 2.0), (2.0, 1.0)]))',
    "LoadReport": "model.load_weights(&file)?",
    "Model": "model.clone()",
    "Panel": 'Panel::from(LinePanel::new("a").line(Line::new("b", vec![(1.0, 2.0), (2.0, 1.0)])))',
    "Scatter3d": "Pca::new(3).fit_transform(&set)?.scatter_3d()",
    "ScatterPanel": 'ScatterPanel::new("a").group("b", vec![(1.0, 2.0), (2.0, 1.0)])',
    "Scoreboard": "Scoreboard::new()",
    "Submission": "Submission::from_labels((0..28_000).map(|i| i % 10).collect::<Vec<_>>())?",
    "Table": 'Table::new(["a"]).rows([["b".to_owned()]])',
}
# Those for which a test would need Kaggle's client, its files, or several seconds.
LEFT_OUT = {
    "Credentials", "Files", "Submitted", "SubmissionCheck", "Prediction", "GradCamSanityCheck", "IntervalPanel",
    "LearningRateCurve", "MaximizedActivations",
}
FORMS = {
    "by value": "{}.clone()",
    "by reference": "&{}",
    "in Ok": "Ok::<_, String>({}.clone())",
    "in a Result without an error type of its own": "std::io::Result::Ok(&{})",
    "in Some": "Some(&{})",
    "in a tuple": "(&{0}, {0}.clone())",
    "in a Vec": "vec![{0}.clone(), {0}.clone()]",
    "in a Box": "Box::new({}.clone())",
    "from a block": "{{ let inner = {}.clone(); inner }}",
    "from an if": "if 1 < 2 {{ {0}.clone() }} else {{ {0}.clone() }}",
    "moved": "std::convert::identity({})",
}


def kinds(reply):
    results = reply.of("execute_result")
    return set(results[0]["data"]) if results else set()


class Values(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook()
        cls.addClassCleanup(cls.notebook.close)
        reply = cls.notebook.run(
            """use tchalk::plot::*;
            let set = datasets::shapes()?.test.take(30);
            let tensors = set.to_tensors(Device::Cpu);
            let image = set.image(0);
            let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(2, 3)).add(Relu);
            let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
            model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy)?;
            model.fit(&tensors, Fit::new())?;
            let predictions = model.predict(&tensors)?;
            let evaluation = model.evaluate(&tensors)?;
            let folder = std::env::temp_dir().join(format!("tchalk-values-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            let (file, csv) = (folder.join("model.safetensors"), folder.join("rows.csv"));
            std::fs::write(&csv, "a,b\n1,2\n")?;
            model.save_weights(&file)?;"""
        )
        assert reply.status == "ok", reply.content
        cls.addClassCleanup(lambda: cls.notebook.run("std::fs::remove_dir_all(&folder)?;"))

    def test_every_public_type_is_here(self):
        source = "".join(path.read_text() for path in SOURCES.rglob("*.rs"))
        shown = set(re.findall(r"^impl Show for (\w+) \{", source, re.MULTILINE))
        shown |= set(re.findall(r"show_as_figure!\(([^)]*)\)", source)[-1].split(", "))
        self.assertEqual(shown - {"Message"}, set(VALUES) | LEFT_OUT)

    def test_every_type_is_shown(self):
        for name, value in VALUES.items():
            with self.subTest(name):
                shown = self.notebook.run(value)
                self.assertEqual(shown.status, "ok", shown.content)
                lent = self.notebook.run(f"let lent = {value};")
                self.assertEqual(lent.status, "ok", lent.content)
                self.assertEqual(kinds(self.notebook.run("Ok::<_, String>(&lent)")), kinds(shown))
                self.assertEqual(kinds(self.notebook.run("std::convert::identity(lent)")), kinds(shown))

    def test_a_figure_is_shown_in_every_form(self):
        for form, code in FORMS.items():
            with self.subTest(form):
                self.notebook.run("let figure = set.image_grid(1, 2)?;")
                reply = self.notebook.run(code.format("figure"))
                self.assertEqual(reply.status, "ok", reply.content)
                html = reply.of("execute_result")[0]["data"]["text/html"]
                self.assertIn("<svg", html)
        self.notebook.run("let figure = set.image_grid(1, 2)?;")
        self.assertIn("mine", self.notebook.run('figure.title("mine")').of("execute_result")[0]["data"]["text/html"])

    def test_an_ok_shows_what_is_in_it(self):
        for code, text in [("Ok::<i32, String>(7)", "7"), ('"7".parse::<i32>()', "7"), ("Some(7)", "Some(7)")]:
            self.assertEqual(self.notebook.run(code).result(), [text])
        self.assertEqual(self.notebook.run("Ok::<(), String>(())").of("execute_result"), [])

    def test_an_err_is_an_error(self):
        cells = {
            'model.compile(RmsProp::new(-1.0), Loss::CategoricalCrossEntropy)': "learning rate",
            'model.save("/proc/no/x")': "/proc",
            'datasets::image_folder("/no/such", [8, 8])': "/no/such",
            '"x".parse::<i32>()': "digit",
            'std::fs::read_to_string("/no/such")': "No such file",
            "Err::<i32, ()>(())": "()",
        }
        for code, words in cells.items():
            with self.subTest(code):
                reply = self.notebook.run(code)
                self.assertEqual((reply.status, reply.content.get("ename")), ("error", "Error"))
                self.assertIn(words, reply.content["evalue"])
                self.assertIn("in line 1 of this cell", "".join(reply.content["traceback"]))
                self.assertEqual(self.notebook.run("set.len()").result(), ["30"])

    def test_an_err_ends_run_all(self):
        first = self.notebook.send('println!("x"); "x".parse::<i32>()')
        second = self.notebook.send("1 + 1")
        self.assertEqual(self.notebook.collect(first).status, "error")
        self.assertEqual(self.notebook.collect(second).status, "aborted")

    def test_a_type_without_a_text_is_named(self):
        reply = self.notebook.run("struct Plain; Plain")
        self.assertEqual(reply.status, "ok", reply.content)
        self.assertIn("Plain", reply.result()[0])
        self.assertIn("derive(Debug)", reply.result()[0])


if __name__ == "__main__":
    unittest.main()
