//! One step of set-up: it is announced, timed, and listed in a table at the end.

use super::files::free_gb;
use super::paths::Paths;
use super::text::duration;
use anyhow::{Context, Result};
use std::sync::Mutex;
use std::time::Instant;

/// The cost of a step.
#[derive(Debug, Clone, Default, PartialEq)]
struct Cost {
    seconds: f64,
    /// Received over the network in MB, if the system tells.
    downloaded: Option<f64>,
    /// By how much the free space at the cache has shrunk in GB, if the system tells.
    disk: Option<f64>,
}

/// The finished steps, in order.
static FINISHED: Mutex<Vec<(String, Cost)>> = Mutex::new(Vec::new());

/// The name of the step that failed, in the chain of an error's causes.
#[derive(Debug)]
pub struct FailedStep(String);

impl std::fmt::Display for FailedStep {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: this step failed", self.0)
    }
}

/// Runs `work`, and prints its name before and its cost afterwards.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("• {name} …");
    let before = Snapshot::now();
    let result = work().with_context(|| FailedStep(name.to_owned()))?;
    let cost = before.cost_since();
    eprintln!("  done in {}", describe(&cost));
    FINISHED.lock().expect("no thread panics while holding it").push((name.to_owned(), cost));
    Ok(result)
}

/// The time, the bytes received and the free space at one moment.
struct Snapshot {
    time: Instant,
    received: Option<f64>,
    free: Option<f64>,
}

impl Snapshot {
    fn now() -> Snapshot {
        let network = std::fs::read_to_string("/proc/net/dev").ok();
        Snapshot {
            time: Instant::now(),
            received: network.map(|text| received(&text)),
            free: Paths::find().ok().and_then(|paths| free_gb(&paths.home)),
        }
    }

    fn cost_since(&self) -> Cost {
        let now = Snapshot::now();
        let difference = |a: Option<f64>, b: Option<f64>| Some((a? - b?).max(0.0));
        Cost {
            seconds: self.time.elapsed().as_secs_f64(),
            downloaded: difference(now.received, self.received),
            disk: difference(self.free, now.free),
        }
    }
}

/// What all network interfaces except the loopback have received, in MB.
fn received(interfaces: &str) -> f64 {
    let others = interfaces.lines().filter_map(|line| line.split_once(':'));
    let bytes = others
        .filter(|(name, _)| name.trim() != "lo")
        .filter_map(|(_, numbers)| numbers.split_whitespace().next()?.parse::<f64>().ok());
    bytes.sum::<f64>() / 1e6
}

/// `40 s, 12 MB downloaded, 0.1 GB on disk`
fn describe(cost: &Cost) -> String {
    let mut text = duration(cost.seconds);
    if let Some(downloaded) = cost.downloaded.filter(|it| *it >= 0.5) {
        text += &format!(", {downloaded:.0} MB downloaded");
    }
    if let Some(disk) = cost.disk.filter(|it| *it >= 0.05) {
        text += &format!(", {disk:.1} GB on disk");
    }
    text
}

/// All finished steps and their sum as a table; `None` if there is no step. The list is empty afterwards.
pub fn take_table() -> Option<String> {
    let finished =
        std::mem::take(&mut *FINISHED.lock().expect("no thread panics while holding it"));
    (!finished.is_empty()).then(|| table(&finished))
}

fn table(steps: &[(String, Cost)]) -> String {
    let sum = |of: fn(&Cost) -> Option<f64>| steps.iter().map(|(_, cost)| of(cost)).sum();
    let all = Cost {
        seconds: steps.iter().map(|(_, cost)| cost.seconds).sum(),
        downloaded: sum(|cost| cost.downloaded),
        disk: sum(|cost| cost.disk),
    };
    let row = |name: &str, cost: &Cost| {
        let amount = |value: Option<f64>, digits, unit| {
            value.map_or("unknown".into(), |value| format!("{value:.digits$} {unit}"))
        };
        // The estimate in brackets was for the time of waiting.
        let name = name.split(" (").next().unwrap_or(name);
        format!(
            "  {name:<50} {:>12} {:>12} {:>12}",
            duration(cost.seconds),
            amount(cost.downloaded, 0, "MB"),
            amount(cost.disk, 1, "GB")
        )
    };
    let head = format!("  {:<50} {:>12} {:>12} {:>12}", "", "time", "downloaded", "on disk");
    let rows = steps.iter().map(|(name, cost)| row(name, cost));
    let lines: Vec<String> = ["what set-up took".into(), head]
        .into_iter()
        .chain(rows)
        .chain([row("sum", &all)])
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_interfaces_except_the_loopback_count() {
        let text = "Inter-|   Receive\n face |bytes    packets\n    lo: 9000000 5 0\n  \
                    eth0: 2000000 7 0\n wlan0:1500000 3 0\n";
        assert_eq!(received(text), 3.5);
    }

    #[test]
    fn the_table_has_every_step_and_the_sum() {
        let cost = |seconds, downloaded, disk| Cost { seconds, downloaded, disk };
        let finished = [
            ("one (about a minute)".to_owned(), cost(40.0, Some(12.0), Some(0.25))),
            ("two".to_owned(), cost(20.0, Some(0.0), Some(1.0))),
        ];
        let text = table(&finished);
        let cells: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(text.lines().next(), Some("what set-up took"));
        assert_eq!(cells[2], ["one", "40", "s", "12", "MB", "0.2", "GB"]);
        assert_eq!(cells[4], ["sum", "60", "s", "12", "MB", "1.2", "GB"]);
        let unknown = table(&[("x".to_owned(), cost(1.0, None, Some(0.0)))]);
        assert!(unknown.lines().last().unwrap().contains("unknown"));
        assert_eq!(describe(&cost(3.0, Some(0.1), None)), "3.0 s");
    }

    #[test]
    fn a_failed_step_is_named_in_the_error_and_not_in_the_table() {
        let error = step::<()>("the work", || anyhow::bail!("no network")).unwrap_err();
        assert_eq!(error.downcast_ref::<FailedStep>().unwrap().0, "the work");
        assert_eq!(error.root_cause().to_string(), "no network");
        let finished = FINISHED.lock().unwrap();
        assert!(finished.iter().all(|(name, _)| name != "the work"));
    }
}
