//! A network as a table.

use super::graph::{Graph, Op};
use super::{Model, Step, StepOp};
use crate::layers::Shape;
use crate::table::Table;
use crate::text::thousands;
use std::collections::HashMap;

/// The optional columns and rows of [`Model::summary_with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    expanded: bool,
    multiply_adds: bool,
    memory: bool,
    receptive_field: bool,
}

impl Summary {
    /// The columns of [`Model::summary`].
    pub fn new() -> Summary {
        Summary::default()
    }

    /// Adds the layers of nested models, indented below their model.
    pub fn expanded(mut self) -> Summary {
        self.expanded = true;
        self
    }

    /// Adds the number of multiply-adds of each layer for one example.
    pub fn multiply_adds(mut self) -> Summary {
        self.multiply_adds = true;
        self
    }

    /// Adds the memory of each layer's output for one example, in `f32`. Training keeps these outputs for
    /// the backward pass.
    pub fn memory(mut self) -> Summary {
        self.memory = true;
        self
    }

    /// Adds the receptive field: the side, in pixels, of the square of the input that one output
    /// depends on, away from the edges.
    pub fn receptive_field(mut self) -> Summary {
        self.receptive_field = true;
        self
    }
}

/// One row of the table.
struct Row {
    name: String,
    repr: String,
    shape: Shape,
    parameters: String,
    connected: String,
    trained: String,
    multiply_adds: usize,
    numbers: usize,
    field: Option<ReceptiveField>,
}

/// The part of the input that one output depends on: the side of the square, and the distance between
/// the squares of neighboring outputs.
#[derive(Clone, Copy)]
enum ReceptiveField {
    Square { side: usize, step: usize },
    WholeInput,
}

impl Summary {
    /// The headings of the columns, and which columns are aligned right.
    fn headings(&self, chain: bool) -> (Vec<String>, Vec<usize>) {
        let mut headings = vec!["layer", "made by", "output shape", "parameters"];
        let mut right = vec![2, 3];
        if !chain {
            headings.push("connected to");
        }
        headings.push("trained");
        let optional = [
            (self.multiply_adds, "multiply-adds"),
            (self.memory, "memory"),
            (self.receptive_field, "sees pixels"),
        ];
        for (_, heading) in optional.iter().filter(|(wanted, _)| *wanted) {
            right.push(headings.len());
            headings.push(heading);
        }
        (headings.into_iter().map(str::to_owned).collect(), right)
    }

    /// The cells of a row.
    fn cells(&self, row: &Row, chain: bool) -> Vec<String> {
        let shape = row.shape.iter().map(|&n| thousands(n)).collect::<Vec<_>>();
        let mut cells =
            vec![row.name.clone(), row.repr.clone(), shape.join(" × "), row.parameters.clone()];
        if !chain {
            cells.push(row.connected.clone());
        }
        cells.push(row.trained.clone());
        if self.multiply_adds {
            cells.push(thousands(row.multiply_adds));
        }
        if self.memory {
            cells.push(format_memory(row.numbers));
        }
        if self.receptive_field {
            cells.push(match row.field {
                Some(ReceptiveField::Square { side, .. }) => format!("{side} × {side}"),
                Some(ReceptiveField::WholeInput) => "all".into(),
                None => String::new(),
            });
        }
        cells
    }
}

impl Model {
    /// A table of the layers: name, the call that creates it, output shape, number of parameters, and
    /// whether training changes it; in networks with branches also its inputs. A nested model is one row.
    pub fn summary(&self) -> Table {
        self.summary_with(Summary::new())
    }

    /// The table of the layers with optional columns.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(8, 3));
    /// let model = layers.add(MaxPool2d::new(2)).build(Device::Cpu)?;
    /// let table = model.summary_with(Summary::new().multiply_adds().receptive_field());
    /// assert!(format!("{table:?}").contains("194,400"), "30 × 30 positions, 8 × 3 × 9 weights");
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn summary_with(&self, options: Summary) -> Table {
        let fields = self.receptive_fields();
        let mut rows = Vec::new();
        let mut chain = self.inner.graph.is_chain();
        self.rows(&self.inner.graph, "", 0, options.expanded, &fields, &mut chain, &mut rows);

        let (headings, right) = options.headings(chain);
        let texts = rows.iter().map(|row| options.cells(row, chain)).collect();
        let table = right.into_iter().fold(Table::of_columns(headings, texts), Table::align_right);
        self.footers(&options).into_iter().fold(table, Table::footer)
    }

    /// The lines below the table.
    fn footers(&self, options: &Summary) -> Vec<String> {
        let total = thousands(self.parameter_count());
        let trainable = thousands(self.trainable_count());
        let mut lines = vec![format!("{total} parameters, {trainable} of them trainable")];
        let steps = &self.inner.program.steps;
        if options.multiply_adds {
            let sum: usize = steps.iter().map(|step| self.multiply_adds(step)).sum();
            lines.push(format!("{} multiply-adds for one example", thousands(sum)));
        }
        if options.memory {
            let sum = steps.iter().map(numbers).sum();
            lines.push(format!("{} for the outputs of one example", format_memory(sum)));
        }
        lines
    }

    #[allow(clippy::too_many_arguments)] // They change from one nested model to the next.
    fn rows(
        &self,
        graph: &Graph,
        prefix: &str,
        depth: usize,
        expanded: bool,
        fields: &HashMap<String, ReceptiveField>,
        chain: &mut bool,
        rows: &mut Vec<Row>,
    ) {
        let program = &self.inner.program;
        *chain = *chain && graph.is_chain();
        for node in &graph.nodes {
            let path = format!("{prefix}{}", node.name);
            let names = node.inputs.iter().map(|&input| graph.nodes[input].name.clone());
            let connected = names.collect::<Vec<_>>().join(", ");
            let inside = |step: &&Step| {
                step.path.strip_prefix(&path).is_some_and(|r| r.is_empty() || r.starts_with('/'))
            };
            let steps: Vec<&Step> = match depth > 0 && matches!(node.op, Op::Input) {
                true => Vec::new(),
                false => program.steps.iter().filter(inside).collect(),
            };
            if depth > 0 && matches!(node.op, Op::Input) {
                continue; // The row of the model names its inputs.
            }
            let mut row = Row {
                name: format!("{}{}", "  ".repeat(depth), node.name),
                repr: match &node.op {
                    Op::Input => String::new(),
                    Op::Model(model) => {
                        let steps = model.inner.program.steps.iter();
                        let layers = steps.filter(|step| step.is_layer()).count();
                        format!("a model of {layers} layers")
                    }
                    op => op.repr(),
                },
                shape: node.shape.clone(),
                parameters: String::new(),
                connected,
                trained: String::new(),
                multiply_adds: steps.iter().map(|step| self.multiply_adds(step)).sum(),
                numbers: steps.iter().map(|step| numbers(step)).sum(),
                field: program
                    .find(&path)
                    .and_then(|at| fields.get(&program.steps[at].path))
                    .copied(),
            };
            self.count_parameters(node.op.shared(), &path, &steps, &mut row);
            rows.push(row);
            if let (Op::Model(model), true) = (&node.op, expanded) {
                let inside = format!("{path}/");
                self.rows(&model.inner.graph, &inside, depth + 1, expanded, fields, chain, rows);
            }
        }
    }

    /// Sets the row's number of parameters and whether they are trained. Shared layers count where they
    /// are used first.
    fn count_parameters(&self, shared: Option<usize>, path: &str, steps: &[&Step], row: &mut Row) {
        let first: HashMap<String, _> = self.inner.program.named_layers().iter().cloned().collect();
        let layers = steps.iter().filter(|step| step.built_layer().is_some());
        let own = layers.filter_map(|step| first.get(&step.path));
        let (total, trained) = own.fold((0, 0), |(total, trained), built| {
            let (all, free) = built.parameter_counts();
            (total + all, trained + free)
        });
        let again = shared.is_some() && path.rsplit('/').next().is_some_and(|n| n.contains(':'));
        row.parameters = match again {
            true => "shared".into(),
            false => thousands(total),
        };
        // A layer without weights, such as dropout, can be frozen, too.
        let built_layers: Vec<_> = steps.iter().filter_map(|step| step.built_layer()).collect();
        let frozen = built_layers.iter().filter(|built| built.is_frozen()).count();
        let weighted = built_layers.iter().any(|built| built.parameter_counts().0 > 0);
        row.trained = match (frozen, weighted) {
            (0, true) => "yes",
            (0, false) => "",
            (n, _) if n == built_layers.len() => "frozen",
            _ if trained == 0 && !again => "frozen",
            _ => "in part",
        }
        .into();
    }

    /// Multiply-adds of one step for one example: each weight of a kernel is used once at every position
    /// of the output.
    fn multiply_adds(&self, step: &Step) -> usize {
        let Some(built) = step.built_layer() else { return 0 };
        let positions: usize = step.shape.get(1..).unwrap_or_default().iter().product();
        let kernels = built.specs.iter().filter(|spec| spec.shape.len() > 1);
        kernels.map(|spec| spec.shape.iter().product::<usize>() * positions).sum()
    }

    /// Multiply-adds of the whole network for one example.
    pub(crate) fn multiply_adds_of_one(&self) -> usize {
        self.inner.program.steps.iter().map(|step| self.multiply_adds(step)).sum()
    }

    /// The side of the receptive field of the layer at this path, or `None` where it is the whole input.
    pub(crate) fn receptive_field_side(&self, path: &str) -> Option<usize> {
        match self.receptive_fields().get(path)? {
            ReceptiveField::Square { side, .. } => Some(*side),
            ReceptiveField::WholeInput => None,
        }
    }

    /// The receptive field of each step, by path.
    fn receptive_fields(&self) -> HashMap<String, ReceptiveField> {
        let steps = &self.inner.program.steps;
        let mut fields: Vec<ReceptiveField> = Vec::with_capacity(steps.len());
        for step in steps {
            let inputs = step.inputs.iter().map(|&input| fields[input]);
            let widest = inputs.reduce(|a, b| match (a, b) {
                (
                    ReceptiveField::Square { side: a, step },
                    ReceptiveField::Square { side: b, step: other },
                ) => ReceptiveField::Square { side: a.max(b), step: step.max(other) },
                _ => ReceptiveField::WholeInput,
            });
            let before = widest.unwrap_or(ReceptiveField::Square { side: 1, step: 1 });
            let window = match &step.op {
                StepOp::Layer(built) => built.layer.kernel_and_stride(),
                _ => Some((1, 1)),
            };
            fields.push(match (before, window) {
                (ReceptiveField::Square { side, step }, Some((window, stride))) => {
                    ReceptiveField::Square {
                        side: side.saturating_add(window.saturating_sub(1).saturating_mul(step)),
                        step: step.saturating_mul(stride),
                    }
                }
                _ => ReceptiveField::WholeInput,
            });
        }
        steps.iter().map(|step| step.path.clone()).zip(fields).collect()
    }
}

/// The size of a layer's output for one example.
fn numbers(step: &Step) -> usize {
    // A softmax inside a layer has no row of its own.
    if matches!(step.op, StepOp::Softmax) { 0 } else { step.shape.iter().product() }
}

/// The memory of this many `f32` numbers.
fn format_memory(numbers: usize) -> String {
    let kib = numbers as f64 * 4.0 / 1024.0;
    if kib < 1000.0 { format!("{kib:.1} KiB") } else { format!("{:.1} MiB", kib / 1024.0) }
}
