//! Prints a line for each epoch.

use crate::train::{Callback, CallbackResult, Run};

/// Prints a line for each epoch, also on a page with a live display.
#[derive(Debug, Clone, Copy, Default)]
pub struct Print;

impl Callback for Print {
    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        let Some(epoch) = run.last() else { return Ok(()) };
        let values = run
            .metric_names()
            .into_iter()
            .filter_map(|metric| epoch.value(&metric).map(|value| format!("{metric} {value:.4}")));
        let values = values.collect::<Vec<_>>().join("  ");
        println!("epoch {}/{}  {values}  {:.1} s", epoch.number, run.epochs(), epoch.seconds);
        Ok(())
    }
}
