//! Choice of a device when the program runs.

use burn::tensor::Device;
use clap::ValueEnum;

/// A backend that this program was built without.
#[derive(Debug, thiserror::Error)]
#[error("the backend {0} is not compiled in; build with `--features {0}`")]
pub struct MissingBackend(String);

impl From<MissingBackend> for String {
    fn from(error: MissingBackend) -> Self {
        error.to_string()
    }
}

/// Backends that a program can run on, as its argument `--device`; each needs the cargo feature of its
/// name, and `flex` is on unless default features are off.
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
    /// [`MissingBackend`] if it is not compiled in.
    pub fn device(self) -> Result<Device, MissingBackend> {
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
                let value = other.to_possible_value().expect("no variant is skipped");
                Err(MissingBackend(value.get_name().to_owned()))
            }
        }
    }
}
