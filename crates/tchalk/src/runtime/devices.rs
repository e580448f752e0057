//! The devices of this machine.

use tch::{Cuda, Device};

/// All CUDA GPUs, or the CPU if there are none, for
/// [`Fit::devices`](crate::train::Fit::devices).
///
/// ```
/// use tchalk::prelude::*;
/// let devices = runtime::devices();
/// println!("{} to train on: {devices:?}", devices.len());
/// # assert_eq!(devices[0], Device::cuda_if_available());
/// ```
pub fn devices() -> Vec<Device> {
    match Cuda::device_count() {
        count @ 1.. => (0..count as usize).map(Device::Cuda).collect(),
        _ => vec![Device::Cpu],
    }
}

/// Whether the machine has this device.
pub(crate) fn is_available(device: Device) -> bool {
    match device {
        Device::Cpu => true,
        Device::Cuda(number) => (number as i64) < Cuda::device_count(),
        Device::Mps => tch::utils::has_mps(),
        Device::Vulkan => tch::utils::has_vulkan(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_devices_are_available() {
        let all = devices();
        assert!(!all.is_empty() && all.iter().all(|&device| is_available(device)));
        assert!(is_available(Device::Cpu) && !is_available(Device::Cuda(1_000)));
    }
}
