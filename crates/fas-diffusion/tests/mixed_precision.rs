//! Mixed precision on every backend whose feature is on: a device trains in a type that it computes in, and
//! refuses another by name.
#![cfg(feature = "train")]

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
use burn::tensor::DeviceType;
use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
use fas_diffusion::training::{
    GeneratorTrainer, GeneratorTrainingConfig, LossScaleConfig, TripletBatch,
};
use fas_diffusion::{
    DiffusionError, GeneratorConfig, Precision, StyleEncoderConfig, UNetConfig, sample_noise,
};

const SIZE: usize = 16;
const STEPS: usize = 4;

fn trainer(device: &Device, precision: Precision) -> Result<GeneratorTrainer, Box<DiffusionError>> {
    device.seed(3);
    let mut unet = UNetConfig::small()
        .with_model_channels(8)
        .with_num_groups(4)
        .with_embed_channels(16)
        .with_channel_mult(vec![1, 2])
        .with_num_res_blocks(1);
    unet.image_size = SIZE;
    unet.fusion_sizes = vec![4];
    let encoder = StyleEncoderConfig::small(2)
        .with_stem_channels(8)
        .with_widths(vec![8, 16])
        .with_depths(vec![1, 1]);
    let config = GeneratorTrainingConfig::new(STEPS)
        .with_warm_up_steps(1)
        .with_learning_rate(3e-3)
        .with_timestep_power(1.0)
        .with_precision(precision)
        .with_loss_scale(LossScaleConfig::new().with_initial(64.0));
    let pool = LeakageGuard::new(&Protocol::intra("C"))
        .admit(TrainingPurpose::Generator, Vec::new())
        .unwrap();
    let generator = GeneratorConfig::new(unet, encoder).init(device);
    GeneratorTrainer::new(generator, config, &pool).map_err(Box::new)
}

fn batch(device: &Device) -> TripletBatch {
    let image = |name: &str| sample_noise(5, &[name, "other"], 3, SIZE, device).clamp(-1.0, 1.0);
    TripletBatch {
        content: image("content"),
        target: image("target"),
        style: image("style"),
        ids: Vec::new(),
    }
}

/// Losses of the first steps, from weights that [`trainer`] draws.
fn losses(mut trainer: GeneratorTrainer, device: &Device) -> Vec<f32> {
    (0..STEPS)
        .map(|_| {
            let report = trainer.step(batch(device)).unwrap();
            assert!(!report.skipped, "{report:?}");
            report.loss
        })
        .collect()
}

fn trains_or_refuses(device: &Device) {
    let full = losses(trainer(device, Precision::Full).unwrap(), device);
    for (precision, tolerance) in [(Precision::F16, 0.01), (Precision::Bf16, 0.04)] {
        match trainer(device, precision) {
            Ok(trainer) => {
                assert!(precision.is_supported(device));
                let half = losses(trainer, device);
                println!("{device:?} {precision:?}: {half:?}, in full precision {full:?}");
                for (half, full) in half.iter().zip(&full) {
                    assert!((half - full).abs() < tolerance * full, "{half}, not {full}");
                }
                assert_ne!(half, full, "not a bit differs");
            }
            Err(error) => {
                println!("{error}");
                assert!(!precision.is_supported(device));
                let text = error.to_string();
                assert!(text.contains("; choose full precision"), "{text}");
            }
        }
    }
}

#[test]
fn on_the_cpu() {
    let device = Device::flex();
    assert!(Precision::F16.is_supported(&device) && Precision::Bf16.is_supported(&device));
    trains_or_refuses(&device);
}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
fn on(kind: DeviceType, device: impl FnOnce() -> Device) {
    if Device::enumerate(kind.clone()).len() == 0 {
        println!("skipped: no {kind:?} device");
        return;
    }
    trains_or_refuses(&device());
}

#[cfg(feature = "wgpu")]
#[test]
fn on_webgpu() {
    on(DeviceType::Wgpu, || Device::wgpu(Default::default()));
}

#[cfg(feature = "vulkan")]
#[test]
fn on_vulkan() {
    on(DeviceType::Vulkan, || Device::vulkan(Default::default()));
}

#[cfg(feature = "cuda")]
#[test]
fn on_cuda() {
    on(DeviceType::Cuda, || Device::cuda(0));
}
