//! What was found on this machine, in plain words.

use crate::runtime::Budget;
use crate::table::Table;
use tch::{Cuda, Device};

/// A table of what the library runs on: versions, device, memory, threads, budget, and what speed to
/// expect.
///
/// ```
/// let report = format!("{:?}", tchalk::runtime::report());
/// assert!(report.contains("libtorch"));
/// ```
pub fn report() -> Table {
    let device = Device::cuda_if_available();
    let budget = Budget::current();
    let mut rows = vec![
        ["tchalk".into(), env!("CARGO_PKG_VERSION").into()],
        ["libtorch".into(), "2.11.0, through tch 0.24".into()],
        ["device".into(), device_text(device)],
        ["processor".into(), format!("{} threads for libtorch", tch::get_num_threads())],
    ];
    if let Some(memory) = memory_gib() {
        rows.push(["memory".into(), format!("{memory:.0} GiB")]);
    }
    rows.push(["budget".into(), budget_text(budget)]);
    rows.push(["expected speed".into(), speed_text(device)]);
    Table::new(["", "found"]).rows(rows)
}

fn device_text(device: Device) -> String {
    match device {
        Device::Cuda(_) => {
            let cudnn = if Cuda::cudnn_is_available() { "with cuDNN" } else { "without cuDNN" };
            format!("GPU: {} CUDA device(s), {cudnn}", Cuda::device_count())
        }
        _ => "CPU (no CUDA device found)".into(),
    }
}

fn speed_text(device: Device) -> String {
    match device {
        Device::Cuda(_) => {
            "everything runs as written, each training cell in a minute or two".into()
        }
        _ => {
            "a laptop's: training the first network on all of CIFAR-10 takes one to two minutes an \
              epoch. TCHALK_BUDGET=class keeps every training cell to about two minutes; a GPU is \
              ten and more times as fast"
                .into()
        }
    }
}

fn budget_text(budget: Budget) -> String {
    match budget {
        Budget::Full => "full: everything as written".into(),
        Budget::Class => "class: fewer examples and epochs without a GPU; each cell says so".into(),
        Budget::Ci => "ci: seconds only, to see that everything runs".into(),
    }
}

/// The machine's memory, where the system tells it in a file.
fn memory_gib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0 / 1024.0)
}
