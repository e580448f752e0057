//! A report on the machine: versions, device, memory, budget.

use crate::runtime::Budget;
use crate::table::Table;
use tch::{Cuda, Device};

/// A table of versions, device, memory, threads, budget and expected speed.
///
/// ```
/// let report = format!("{:?}", tchalk::runtime::report());
/// assert!(report.contains("libtorch"));
/// ```
pub fn report() -> Table {
    let device = Device::cuda_if_available();
    let mut rows = vec![
        ["tchalk".into(), env!("CARGO_PKG_VERSION").into()],
        ["libtorch".into(), "2.11.0, through tch 0.24".into()],
        ["device".into(), device_text(device)],
        ["processor".into(), format!("{} threads for libtorch", tch::get_num_threads())],
    ];
    if let Some(memory) = memory_gib() {
        rows.push(["memory".into(), format!("{memory:.0} GiB")]);
    }
    rows.push(["budget".into(), budget_text()]);
    rows.push(["expected speed".into(), speed_text(device)]);
    Table::new(["", "found"]).rows(rows)
}

fn device_text(device: Device) -> String {
    match device {
        Device::Cuda(_) => {
            let cudnn = if Cuda::cudnn_is_available() { "with cuDNN" } else { "without cuDNN" };
            let cards = cards().unwrap_or_else(|| format!("{} CUDA devices", Cuda::device_count()));
            format!("GPU: {cards}, {cudnn}")
        }
        _ => "CPU: no NVIDIA GPU was found".into(),
    }
}

/// The names and memory of the GPUs, from `nvidia-smi`.
fn cards() -> Option<String> {
    let query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
    let output = std::process::Command::new("nvidia-smi").args(query).output().ok()?;
    cards_text(&String::from_utf8_lossy(&output.stdout))
}

/// The lines `NVIDIA A100-SXM4-40GB, 40960` as text.
fn cards_text(told: &str) -> Option<String> {
    let cards: Option<Vec<String>> = told
        .lines()
        .map(|line| {
            let (name, mib) = line.rsplit_once(',')?;
            let gib = mib.trim().parse::<f64>().ok()? / 1024.0;
            Some(format!("{} with {gib:.0} GiB", name.trim()))
        })
        .collect();
    cards.filter(|cards| !cards.is_empty()).map(|cards| cards.join(", "))
}

fn speed_text(device: Device) -> String {
    match device {
        Device::Cuda(_) => "that of a GPU: everything runs as written".into(),
        _ => {
            "that of a laptop: training the first network on all of CIFAR-10 takes one to two minutes an \
              epoch. A GPU is usually ten times as fast, or more"
                .into()
        }
    }
}

fn budget_text() -> String {
    let (budget, why) = match Budget::current_with_reason() {
        Ok(it) => it,
        Err(error) => return error.to_string(),
    };
    let what = match budget {
        Budget::Full => "everything as written",
        Budget::Class if Cuda::is_available() => "everything as written, as there is a GPU",
        Budget::Class => {
            "each training takes about two minutes at most, and says what did not fit into them"
        }
        Budget::Ci => "seconds only, to see that everything runs",
    };
    format!("{}, as {why}: {what}", budget.name())
}

/// The memory of the machine, where `/proc/meminfo` exists.
fn memory_gib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_have_name_and_memory() {
        let told = "NVIDIA H200, 143771\nNVIDIA GeForce RTX 3060, 12288\n";
        let text = "NVIDIA H200 with 140 GiB, NVIDIA GeForce RTX 3060 with 12 GiB";
        assert_eq!(cards_text(told).as_deref(), Some(text));
        assert_eq!(cards_text(""), None);
        assert_eq!(cards_text("NVIDIA-SMI has failed, because"), None);
    }
}
