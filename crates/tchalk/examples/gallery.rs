//! Draws every figure of the library, from built-in data, on one page.
//!
//! `cargo run --example gallery -- FOLDER` writes `gallery.html`, which follows the theme of whoever
//! looks at it, and each figure as a PNG on light and on dark paper. It fails if a figure is empty or
//! too large, or if a text in it overlaps another one or is cut off by the edge. Add a figure by one
//! line in `main`.

use ndarray::{Array2, Array3, Axis};
use std::path::{Path, PathBuf};
use tchalk::plot::{
    BarPanel, ColorScale, Diagram, HeatGrid, HeatMap, HistogramPanel, Line, LinePanel, Theme,
};
use tchalk::prelude::*;

/// A figure as SVG has at most so many bytes.
const LARGEST: usize = 300_000;

type Fallible<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible {
    let folder = std::env::args().nth(1).ok_or("usage: gallery FOLDER")?;
    let mut gallery = Gallery::new(Path::new(&folder))?;
    runtime::seed(42);
    let shapes = datasets::shapes()?;
    let (train, held_out) = shapes.train.take(3000).split(0.2)?;
    let (test, held_out) = (shapes.test.take(300), held_out.to_tensors(Device::Cpu));
    let (model, history) = trained(&train, &held_out)?;
    let answers = model.predict(&test.to_tensors(Device::Cpu))?;
    let blind = blind(&test)?;

    gallery.section("Data")?;
    gallery.figure("image grid", train.image_grid(4, 10)?)?;
    gallery.figure("image grid of strokes", datasets::strokes()?.train.image_grid(4, 10)?)?;
    let both = [&train.image(0), &train.image(1), &train.image(2)];
    gallery.figure("images side by side", Image::side_by_side(&both)?)?;
    gallery.figure("histograms", train.histograms()?)?;
    gallery.table("description of a data set", &shapes.describe())?;

    let augmentation = Augmentation::new().random_flip().random_crop(4).random_rotation(15.0);
    let augmentation = augmentation.random_brightness(0.3).random_erasing(10);
    gallery.figure("augmentation", augmentation.preview(&train)?)?;

    gallery.section("Exploration")?;
    let pca = Pca::new(50).fit(&train.take(1000))?;
    let points = pca.transform(&train.take(1000))?;
    gallery.show("components as a table", &pca)?;
    gallery.figure("principal components", pca.component_grid(2, 10)?)?;
    gallery.figure("PCA", points.scatter())?;
    gallery.scatter_3d("PCA in three dimensions", &points.scatter_3d())?;
    gallery.figure("t-SNE", Tsne::new(2).iterations(400).fit(&points)?.scatter())?;

    gallery.section("Networks")?;
    gallery.diagram("a network", &model.diagram())?;
    let base = applications::vgg16().weights(Weights::Random).without_top();
    let base = base.input_shape([3, 32, 32]).build(Device::Cpu)?;
    gallery.diagram("two branches", &nested(&base)?.diagram())?;
    gallery.diagram("branches of a base", &branches(&base)?.diagram())?;
    gallery.diagram("VGG16", &base.diagram())?;
    let resnet = applications::resnet18().weights(Weights::Random).build(Device::Cpu)?;
    gallery.diagram("ResNet-18", &resnet.diagram())?;
    gallery.show("summary", &model.summary())?;

    gallery.section("Training")?;
    gallery.figure("history", history.plot()?)?;
    gallery.figure("history, stacked", history.plot_stacked()?)?;
    gallery.table("history as a table", &history.table())?;
    gallery.figure("several runs", several_runs()?)?;
    let (other, other_history) = trained(&train.take(600), &held_out)?;
    let histories = [("2,400 images", &history), ("600 images", &other_history)];
    gallery.figure("histories compared", History::compare(&histories)?)?;
    let finder = LearningRateFinder::new().steps(40);
    let rates = model.find_learning_rate(&train.take(600).to_tensors(Device::Cpu), finder)?;
    gallery.figure("learning rates", rates.plot()?)?;

    gallery.section("Evaluation")?;
    gallery.figure("predictions", answers.image_grid(4, 10)?)?;
    gallery.figure("only the wrong ones", answers.wrong()?.image_grid(2, 10)?)?;
    gallery.figure("predictions without labels", blind.image_grid(1, 10)?)?;
    gallery.figure("probability bars", answers.probability_bars(10)?)?;
    gallery.figure("probability bars without labels", blind.probability_bars(2)?)?;
    gallery.figure("confusion matrix", answers.confusion_matrix()?.figure()?)?;
    gallery.figure("confusion matrix, 20 classes", counts(20)?.figure()?)?;
    gallery.table("report", &answers.classification_report()?.table())?;
    gallery.table("most confused", &answers.most_confused(8)?.table())?;
    gallery.figure("top losses", answers.top_losses(12)?)?;
    gallery.figure("calibration", answers.calibration()?.figure()?)?;
    let comparison = answers.compare(&other.predict(&test.to_tensors(Device::Cpu))?)?;
    let comparison = comparison.names(&["network A", "network B"]);
    gallery.table("comparison", &comparison.table())?;
    gallery.figure("where two networks differ", comparison.image_grid(2, 10)?)?;

    let ensemble = Ensemble::average(&[&model, &other])?;
    gallery.show("an ensemble", &ensemble)?;
    let comparison = ensemble.compare(&test.to_tensors(Device::Cpu))?;
    gallery.table("an ensemble and its members", &comparison.table())?;
    gallery.figure("where members differ", comparison.image_grid(2, 10)?)?;

    let mut board = Scoreboard::new();
    let scored = test.to_tensors(Device::Cpu);
    board.add("2,400 images", &model.evaluate(&scored)?, &history);
    board.add("600 images", &other.evaluate(&scored)?, &other_history);
    board.add_missing("a giant", "its weights are not here");
    gallery.show("a scoreboard", &board)?;
    gallery.figure("a scoreboard with its intervals", board.figure()?)?;

    gallery.section("Submissions")?;
    let digits = datasets::strokes()?.test.take(200);
    let said = |wrong: usize| {
        let answers = digits.labels().into_iter().enumerate();
        answers.map(|(i, label)| if i % wrong == 0 { (label + 1) % 10 } else { label }).collect()
    };
    let (first, second) = (Submission::from_labels(said(9))?, Submission::from_labels(said(14))?);
    gallery.figure("how often each digit is the answer", first.label_counts()?)?;
    let comparison = first.compare(&second)?.images(&digits)?;
    gallery.table("different answers", &comparison.answer_table(8))?;
    let differences = comparison.names(&["network A", "network B"]).image_grid(2, 10)?;
    gallery.figure("where two submissions differ", differences)?;

    gallery.section("Explanations")?;
    let photo = test.image(3);
    gallery.figure("kernels of the first layer", explain::kernels(&model, "conv2d")?)?;
    gallery.figure("kernels of the second layer", explain::kernels(&model, "conv2d_1")?)?;
    let features = explain::feature_maps_of(&model, &model.conv_layers(), &photo)?;
    gallery.figure("feature maps", features)?;
    gallery.figure(
        "activation maximization",
        explain::activation_maximization(&model, "conv2d_1")?.figure()?,
    )?;
    let settings = explain::ActivationMaximization::new("conv2d_2").jitter(2).blur();
    gallery
        .figure("activation maximization with jitter and blur", settings.run(&model)?.figure()?)?;
    let cam = explain::grad_cam(&model, "conv2d_2", &photo)?.class_names(&shapes.class_names());
    gallery.figure("Grad-CAM", cam.figure()?)?;
    let check = explain::grad_cam_sanity_check(&model, "conv2d_2", &photo)?
        .class_names(&shapes.class_names());
    gallery.figure("Grad-CAM beside shuffled weights", check.figure()?)?;
    let saliency = explain::saliency(&model, &photo, None)?.class_names(&shapes.class_names());
    gallery.figure("saliency", saliency.figure()?)?;
    let contributions = explain::integrated_gradients(&model, &photo, None)?;
    gallery.figure(
        "integrated gradients",
        contributions.class_names(&shapes.class_names()).figure()?,
    )?;
    let covered = explain::occlusion(&model, &photo, None, 8)?.class_names(&shapes.class_names());
    gallery.figure("occlusion", covered.figure()?)?;

    let seen = explain::embedding(&model, "dense", &test.to_tensors(Device::Cpu))?;
    gallery
        .figure("what the last layer sees", Tsne::new(2).iterations(400).fit(&seen)?.scatter())?;

    gallery.section("A hundred classes")?;
    let many = many(&train)?;
    let answers = uncertain(&many)?;
    gallery.figure("image grid, 100 classes", many.image_grid(2, 10)?)?;
    gallery.figure("histograms, 100 classes", many.histograms()?)?;
    gallery.figure("PCA, 100 classes", Pca::new(2).fit_transform(&many)?.scatter())?;
    gallery.figure("predictions, 100 classes", answers.image_grid(2, 10)?)?;
    gallery.figure("probability bars, 100 classes", answers.probability_bars(4)?)?;
    gallery.figure("confusion matrix, 100 classes", answers.confusion_matrix()?.figure()?)?;
    gallery.figure("top losses, 100 classes", answers.top_losses(6)?)?;
    gallery.table("report, 100 classes", &answers.classification_report()?.table())?;

    gallery.section("Heat maps")?;
    gallery.figure("maps over an image", maps(ColorScale::Heat)?)?;
    gallery.figure("signed maps", maps(ColorScale::Signed)?)?;

    gallery.section("Panels")?;
    gallery.figure("bars", bars()?)?;
    gallery.figure("a histogram", histogram()?)?;
    gallery.finish()
}

/// Collects figures, and looks at each of them.
struct Gallery {
    folder: PathBuf,
    page: String,
    names: Vec<String>,
}

impl Gallery {
    fn new(folder: &Path) -> Fallible<Gallery> {
        std::fs::create_dir_all(folder)?;
        Ok(Gallery { folder: folder.to_owned(), page: String::new(), names: Vec::new() })
    }

    fn section(&mut self, title: &str) -> Fallible {
        self.page += &format!("<h2>{title}</h2>\n");
        Ok(())
    }

    /// Adds whatever can be shown, by its HTML.
    fn show(&mut self, name: &str, shown: &impl Show) -> Fallible {
        let html = shown.content().as_html().ok_or_else(|| format!("{name}: nothing to show"))?;
        self.page += &format!("<h3>{name}</h3>\n{html}\n");
        Ok(())
    }

    fn figure(&mut self, name: &str, figure: Figure) -> Fallible {
        self.check(name, &figure)?;
        self.show(name, &figure)
    }

    /// Points that turn on the page, and as they stand still.
    fn scatter_3d(&mut self, name: &str, scatter: &Scatter3d) -> Fallible {
        self.check(name, &scatter.figure())?;
        self.show(name, scatter)
    }

    fn table(&mut self, name: &str, table: &Table) -> Fallible {
        if format!("{table:?}").lines().count() < 3 {
            return Err(format!("{name}: an empty table").into());
        }
        self.show(name, table)
    }

    /// A diagram in both of its states.
    fn diagram(&mut self, name: &str, diagram: &Diagram) -> Fallible {
        self.check(name, &diagram.figure()?)?;
        let closed = diagram.clone().collapsed();
        if closed != *diagram {
            self.check(&format!("{name}, closed"), &closed.figure()?)?;
        }
        self.show(name, diagram)
    }

    fn check(&mut self, name: &str, figure: &Figure) -> Fallible {
        let untidy = figure.overlaps();
        if !untidy.is_empty() {
            return Err(format!("{name}: {}", untidy.join("\n")).into());
        }
        let file = name.replace(", ", " ").replace(' ', "-");
        if self.names.contains(&file) {
            return Err(format!("{name}: two figures of that name").into());
        }
        for (paper, theme) in [("light", Theme::light()), ("dark", Theme::dark())] {
            let size = figure.to_svg(&theme).len();
            if size > LARGEST {
                return Err(format!("{name}: {size} bytes").into());
            }
            let png = figure.to_png(&theme, 1.5)?;
            if is_empty(&png)? {
                return Err(format!("{name}: nothing but paper").into());
            }
            std::fs::write(self.folder.join(format!("{file}-{paper}.png")), png)?;
        }
        self.names.push(file);
        Ok(())
    }

    fn finish(self) -> Fallible {
        let style = "body{font-family:sans-serif;max-width:940px;margin:2em auto;padding:0 1em;\
                     background:#fff;color:#1f2328}\
                     @media (prefers-color-scheme:dark){body{background:#16181c;color:#e6e9ed}}";
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>tchalk: all figures\
             </title><style>{style}</style><body><h1>All figures</h1>\n{}</body></html>\n",
            self.page
        );
        std::fs::write(self.folder.join("gallery.html"), page)?;
        println!("{} figures in {}", self.names.len(), self.folder.display());
        Ok(())
    }
}

/// Whether hardly any pixel differs from the one in the corner.
fn is_empty(png: &[u8]) -> Fallible<bool> {
    let pixels = image::load_from_memory(png)?.to_luma8();
    let paper = i16::from(pixels.get_pixel(0, 0)[0]);
    let drawn = pixels.pixels().filter(|pixel| (i16::from(pixel[0]) - paper).abs() > 20).count();
    Ok(1000 * drawn < pixels.len())
}

/// A small network that has learned a little.
fn trained(split: &Split, validation: &TensorSet) -> Fallible<(Model, History)> {
    let model = Sequential::new()
        .input_shape([3, 32, 32])
        .add(Conv2d::new(16, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(32, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(48, 3))
        .add(Relu)
        .add(GlobalMaxPool2d)
        .add(Dense::new(10))
        .add(Softmax)
        .build(Device::Cpu)?;
    model.compile(RmsProp::new(2e-3), Loss::CategoricalCrossEntropy)?;
    let set = split.to_tensors(Device::Cpu);
    let history = model.fit(&set, Fit::new().epochs(10).batch_size(32).validation(validation))?;
    Ok((model, history))
}

/// Predictions for images whose labels nobody knows.
fn blind(split: &Split) -> Fallible<Predictions> {
    let few = split.take(20);
    let unknown = Split::new("images without labels", few.images(), vec![], few.class_names())?;
    let table =
        Array2::from_shape_fn((20, 10), |(row, class)| if row % 10 == class { 0.64 } else { 0.04 });
    Ok(Predictions::from_probabilities(table, &unknown.to_tensors(Device::Cpu))?)
}

/// Images under a hundred invented names.
fn many(split: &Split) -> Fallible<Split> {
    let names: Vec<String> = (0..100)
        .map(|i| format!("{} {}", ["small", "great", "long-tailed", "spotted"][i % 4], 100 + i))
        .collect();
    let images = split.take(2000).images();
    let labels = (0..images.shape()[0]).map(|i| (i * i + i / 100) % 100);
    Ok(Split::new("a hundred classes", images, labels.collect(), names)?)
}

/// Invented answers of a network that mostly is right, and confuses neighbors.
fn uncertain(split: &Split) -> Fallible<Predictions> {
    let labels = split.labels();
    let mut table = Array2::from_elem((labels.len(), 100), 0.002);
    for (row, &truth) in labels.iter().enumerate() {
        let wrong = (row * 7919) % 10 < truth % 5;
        let near = truth / 4 * 4 + (truth * 3 + row % 3) % 4;
        table[[row, truth]] += if wrong { 0.2 } else { 0.6 };
        table[[row, near]] += 0.25;
        table[[row, (row * 31) % 100]] += if row % 13 == 0 { 0.9 } else { 0.05 };
    }
    let sums = table.sum_axis(Axis(1)).insert_axis(Axis(1));
    Ok(Predictions::from_probabilities(table / sums, &split.to_tensors(Device::Cpu))?)
}

/// A matrix of invented counts.
fn counts(classes: usize) -> Fallible<ConfusionMatrix> {
    let counts = Array2::from_shape_fn((classes, classes), |(truth, said)| match truth == said {
        true => 90 - (truth * 7) % 40,
        false if (truth / 5) == (said / 5) => (truth * 3 + said * 5) % 12,
        false => usize::from((truth * 31 + said * 17) % 23 == 0),
    });
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    Ok(ConfusionMatrix::new("invented counts", names, counts)?)
}

fn several_runs() -> Fallible<Figure> {
    let curve = |rate: f64| {
        let points =
            (1..=25).map(|epoch| (f64::from(epoch), 2.3 * (-rate * f64::from(epoch)).exp()));
        points.collect::<Vec<_>>()
    };
    let panel = LinePanel::new("loss").x_label("epoch").integer_x();
    let rates = [0.05, 0.1, 0.2, 0.3].into_iter().enumerate();
    let panel = rates.fold(panel, |panel, (run, rate)| {
        let validation = Line::new(format!("rate {rate}, validation"), curve(0.8 * rate));
        panel
            .line(Line::new(format!("rate {rate}, train"), curve(rate)).color(run))
            .line(validation.color(run).dashed())
    });
    Ok(Figure::grid(vec![panel.into()], 1)?.title("four runs"))
}

fn maps(scale: ColorScale) -> Fallible<Figure> {
    let image = Array3::from_shape_fn((224, 224, 3), |(y, x, channel)| {
        let (dx, dy) = (x as f64 - 112.0, y as f64 - 100.0);
        let ball = (dx * dx + dy * dy).sqrt() < 60.0;
        let sky = [90.0, 140.0, 200.0][channel] + y as f64 * 0.2;
        if ball { [220, 120, 60][channel] } else { sky as u8 }
    });
    let spot = |cx: f32, cy: f32| {
        Array2::from_shape_fn((14, 14), |(y, x)| {
            let (dx, dy) = (x as f32 - cx, y as f32 - cy);
            let height = (-(dx * dx + dy * dy) / 12.0).exp();
            if scale == ColorScale::Signed {
                height - 0.5 * (-(dx * dx) / 40.0).exp()
            } else {
                height
            }
        })
    };
    let grid = HeatGrid::new(5).scale(scale).label("how much it matters");
    let grid = grid.image("the image", image.clone());
    let spots = [("ball 0.91", 6.5, 6.0), ("sky 0.06", 2.0, 2.0), ("sea 0.02", 11.0, 12.0)];
    let grid = spots.into_iter().fold(grid, |grid, (title, x, y)| {
        grid.map(HeatMap::new(title, spot(x, y)).over(image.clone()))
    });
    Ok(grid.map(HeatMap::new("by itself", spot(6.5, 6.0))).figure()?)
}

fn bars() -> Fallible<Figure> {
    let bars = [("cat", 512.0), ("dog", 498.0), ("bird", 120.0), ("frog", 0.0)];
    let bars = bars.map(|(name, value)| (name.to_owned(), value));
    Ok(Figure::grid(vec![BarPanel::new("animals").bars(bars).into()], 1)?)
}

fn histogram() -> Fallible<Figure> {
    let counts = (0..64).map(|i| (-(f64::from(i) - 30.0).powi(2) / 200.0).exp() * 1000.0);
    let panel = HistogramPanel::new("values").x_label("value").counts(0.0, 64.0, counts);
    Ok(Figure::grid(vec![panel.into()], 1)?)
}

/// A network in which two branches, one of them a frozen network over another one, are joined.
fn nested(base: &Model) -> Fallible<Model> {
    let copy = base.copy()?;
    copy.freeze();
    let expert = Sequential::new()
        .name("expert")
        .add(&copy)
        .add(Flatten)
        .add(Dense::new(10))
        .build(Device::Cpu)?;
    let input = Input::new("image", [3, 32, 32]);
    let x = Conv2d::new(16, 3).call(&input)?;
    let x = Dense::new(10).call(&GlobalMaxPool2d.call(&x)?)?;
    let both = Concatenate::new().call(&[expert.call(&input)?, x])?;
    let output = Softmax.call(&Dense::new(10).call(&both)?)?;
    Ok(Model::new("two_branches", &input, &output, Device::Cpu)?)
}

/// A network in which each group of a base has a branch of its own to the end.
fn branches(base: &Model) -> Fallible<Model> {
    let input = Input::new("image", [3, 32, 32]);
    let (mut x, mut ends) = (input.clone(), Vec::new());
    for group in base.split_at_pools()? {
        x = group.call(&x)?;
        ends.push(Dense::new(10).call(&Flatten.call(&x)?)?);
    }
    let output = Softmax.call(&Concatenate::new().call(&ends)?)?;
    Ok(Model::new("branches", &input, &output, Device::Cpu)?)
}
