//! Choice of a device at run time.

use burn::tensor::Device;
use clap::ValueEnum;

/// Backends that an example can run on; each but `flex` needs the cargo feature of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// CPU.
    Flex,
    /// Any GPU, through WebGPU.
    Wgpu,
    /// Any GPU, through Vulkan.
    Vulkan,
    /// NVIDIA GPU.
    Cuda,
}

impl DeviceChoice {
    /// The device of that backend.
    ///
    /// # Errors
    ///
    /// A message that says which cargo feature is missing.
    pub fn device(self) -> Result<Device, String> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[allow(
                unreachable_patterns,
                reason = "with every backend compiled in none is left"
            )]
            other => {
                let name = other.to_possible_value().expect("no variant is skipped");
                let name = name.get_name().to_owned();
                Err(format!(
                    "the backend {name} is not compiled in; run with `--features {name}`"
                ))
            }
        }
    }
}
