//! A CSV file with a line for each epoch.

use crate::error::Error;
use crate::files::expand_home;
use crate::train::{Callback, CallbackResult, Run};
use std::path::PathBuf;

/// Writes a CSV file with a line for each epoch, complete after each epoch:
/// `epoch,loss,accuracy,…,rate,seconds`.
#[derive(Debug, Clone)]
pub struct CsvLog {
    path: PathBuf,
}

impl CsvLog {
    /// Writes to `path`. Missing folders are created.
    pub fn new(path: impl Into<PathBuf>) -> CsvLog {
        CsvLog { path: expand_home(path.into()) }
    }

    fn write(&self, run: &Run) -> std::io::Result<()> {
        let metric_names = run.metric_names();
        let mut out = csv::Writer::from_writer(Vec::new());
        let ends = ["rate".to_owned(), "seconds".to_owned()];
        out.write_record(["epoch".to_owned()].iter().chain(&metric_names).chain(&ends))?;
        for epoch in run.history().epochs() {
            let values = metric_names.iter().map(|metric| {
                epoch.value(metric).map(|value| value.to_string()).unwrap_or_default()
            });
            let ends = [epoch.learning_rate.to_string(), format!("{:.3}", epoch.seconds)];
            out.write_record([epoch.number.to_string()].into_iter().chain(values).chain(ends))?;
        }
        let text = out.into_inner().map_err(|error| error.into_error())?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.path, text)
    }
}

impl Callback for CsvLog {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        // Fails before training if the file cannot be written.
        Ok(self.write(run).map_err(|error| Error::io(&self.path, error, ""))?)
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        Ok(self.write(run).map_err(|error| Error::io(&self.path, error, ""))?)
    }
}
