//! Deterministic inputs, comparisons, and the devices that tests run on.
#![allow(dead_code)] // each test file uses some of them

use burn::tensor::{Device, Shape, Tensor};

/// Runs each test, a `fn(Device)`, on every backend whose feature is on.
///
/// Without a GPU those of `wgpu`, `vulkan` and `cuda` are skipped, or fail if `CI=true`.
macro_rules! on_every_device {
    ($($test:ident),+ $(,)?) => {
        crate::common::on_every_device!(@module flex "flex" $($test)+);
        crate::common::on_every_device!(@module wgpu "wgpu" $($test)+);
        crate::common::on_every_device!(@module vulkan "vulkan" $($test)+);
        crate::common::on_every_device!(@module cuda "cuda" $($test)+);
    };
    (@module $backend:ident $feature:literal $($test:ident)+) => {
        #[cfg(feature = $feature)]
        mod $backend {
            $(
                #[test]
                fn $test() {
                    if let Some(device) = crate::common::$backend() {
                        super::$test(device);
                    }
                }
            )+
        }
    };
}
pub(crate) use on_every_device;

/// The CPU.
#[cfg(feature = "flex")]
pub(crate) fn flex() -> Option<Device> {
    Some(Device::flex())
}

/// A GPU through WebGPU's shading language, which software such as Mesa's counts as.
#[cfg(feature = "wgpu")]
pub(crate) fn wgpu() -> Option<Device> {
    let found = found(burn::tensor::DeviceType::Wgpu);
    found.then(|| Device::wgpu(Default::default()))
}

/// A GPU through SPIR-V.
#[cfg(feature = "vulkan")]
pub(crate) fn vulkan() -> Option<Device> {
    let found = found(burn::tensor::DeviceType::Vulkan);
    found.then(|| Device::vulkan(Default::default()))
}

/// An NVIDIA GPU.
#[cfg(feature = "cuda")]
pub(crate) fn cuda() -> Option<Device> {
    found(burn::tensor::DeviceType::Cuda).then(|| Device::cuda(0))
}

#[cfg(any(feature = "cuda", feature = "vulkan", feature = "wgpu"))]
fn found(kind: burn::tensor::DeviceType) -> bool {
    let found = !Device::enumerate(kind.clone()).is_empty();
    if !found {
        let message = format!("no {kind:?} device");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{message}");
        println!("skipped: {message}");
    }
    found
}

/// The device without kernels of ours that expected values are made on: the CPU.
pub(crate) fn burn_device() -> Device {
    Device::flex()
}

/// What a GPU's `exp(x)` may err beside a few roundings, relative: `3 + 2 |x|` units in the last place
/// in Vulkan ("Precision of core SPIR-V instructions") and in WebGPU.
pub(crate) fn exp_error(device: &Device, x: f64) -> f64 {
    if device.clone().without_autodiff() == Device::flex() {
        0.0
    } else {
        (3.0 + 2.0 * x.abs()) * f64::from(f32::EPSILON)
    }
}

/// Values in `[-1, 1)` that depend on `seed` and the position only.
pub(crate) fn random<const D: usize>(seed: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::<1>::from_data(values.as_slice(), device).reshape(Shape::from(dims))
}

/// The same values, with the channels last in memory, as Burn's convolutions on CubeCL runtimes return them.
pub(crate) fn channels_last(x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    let [batch_size, channels, height, width] = x.dims();
    let pixels = x.permute([0, 2, 3, 1]).into_data();
    let pixels = Tensor::<1>::from_data(pixels.try_to_vec::<f32>().unwrap().as_slice(), &device);
    let pixels = pixels.reshape([batch_size, height, width, channels]);
    pixels.permute([0, 3, 1, 2])
}

/// `|a - b| <= tolerance * max(1, largest |b|)` for every value.
pub(crate) fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}: number of values");
    let scale = b.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let close = (a - b).abs() <= tolerance * scale || (a.is_nan() && b.is_nan()) || a == b;
        assert!(
            close,
            "{what}: value {i} is {a}, expected {b} (largest {scale})"
        );
    }
}

/// Runs `f` in a pool of so many threads.
pub(crate) fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(f)
}
