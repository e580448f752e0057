//! A network as a table.

use super::Model;
use crate::table::Table;

impl Model {
    /// A table of the layers: name, the call that made it, output shape, number of parameters.
    pub fn summary(&self) -> Table {
        let inner = self.lock();
        let input = inner.input_shape.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut rows = vec![["input".into(), String::new(), input.join(" × "), "0".into()]];
        for node in &inner.nodes {
            let shape: Vec<String> = node.output_shape.iter().map(ToString::to_string).collect();
            let parameters: usize = node.weights.iter().map(|w| w.tensor.numel()).sum();
            rows.push([
                node.name.clone(),
                node.layer.call(),
                shape.join(" × "),
                crate::plot::thousands(parameters as f64),
            ]);
        }
        drop(inner);
        let total = crate::plot::thousands(self.parameter_count() as f64);
        let trainable = crate::plot::thousands(self.trainable_count() as f64);
        Table::new(["layer", "made by", "output shape", "parameters"])
            .rows(rows)
            .align_right(2)
            .align_right(3)
            .footer(format!("{total} parameters, {trainable} of them trainable"))
    }
}
