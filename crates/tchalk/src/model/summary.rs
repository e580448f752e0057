//! A network as a table.

use super::Model;
use crate::plot::thousands;
use crate::table::Table;

impl Model {
    /// A table of the layers: name, the call that made it, output shape, number of parameters.
    pub fn summary(&self) -> Table {
        let inner = self.lock();
        let text = |shape: &[usize]| {
            shape.iter().map(|&n| thousands(n as f64)).collect::<Vec<_>>().join(" × ")
        };
        let input = text(&inner.input_shape);
        let mut rows = vec![["input".into(), String::new(), input, "0".into()]];
        for node in &inner.nodes {
            let parameters: usize = node.weights.iter().map(|w| w.tensor.numel()).sum();
            rows.push([
                node.name.clone(),
                node.layer.written(),
                text(&node.output_shape),
                thousands(parameters as f64),
            ]);
        }
        drop(inner);
        let total = thousands(self.parameter_count() as f64);
        let trainable = thousands(self.trainable_count() as f64);
        Table::new(["layer", "made by", "output shape", "parameters"])
            .rows(rows)
            .align_right(2)
            .align_right(3)
            .footer(format!("{total} parameters, {trainable} of them trainable"))
    }
}
