//! Burn's modules on the kernels against their own `forward`.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

#[cfg(feature = "flex")]
use burn::module::Module;
use burn::module::RunningState;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNormConfig, LinearConfig, PaddingConfig2d};
#[cfg(feature = "flex")]
use burn::tensor::FloatDType;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use common::{assert_close, on_every_device, random};
use fas_kernels::layers;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_as::<f32>().try_to_vec().unwrap()
}

fn convolution(config: Conv2dConfig, device: &Device) -> Conv2d {
    device.seed(3);
    config.init(device)
}

fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).init(device);
    norm.gamma = norm
        .gamma
        .map(|gamma| gamma + random(11, [channels], device) * 0.5);
    norm.beta = norm.beta.map(|beta| beta + random(12, [channels], device));
    norm.running_mean = RunningState::new(random(13, [channels], device));
    norm.running_var = RunningState::new(random(14, [channels], device) * 0.5 + 1.0);
    norm
}

fn convolutions_keep_stride_padding_dilation_and_groups(device: Device) {
    let plain = || Conv2dConfig::new([4, 6], [3, 3]);
    let configs = [
        plain(),
        plain().with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)),
        plain().with_padding(PaddingConfig2d::Explicit(0, 2, 0, 2)),
        plain().with_padding(PaddingConfig2d::Same),
        plain().with_stride([2, 1]).with_bias(false),
        plain().with_dilation([2, 2]).with_groups(2),
    ];
    for config in configs {
        let layer = convolution(config.clone(), &device);
        let x = random(1, [2, 4, 9, 10], &device);
        let (ours, burns) = (layers::conv2d(&layer, x.clone()), layer.forward(x));
        assert_eq!(ours.dims(), burns.dims());
        assert_close(&values(ours), &values(burns), 2e-6, &config.to_string());
    }
}

fn linear_layers_and_norms_are_burns(device: Device) {
    device.seed(4);
    let layer = LinearConfig::new(12, 7).init(&device);
    let x = random(1, [2, 5, 12], &device);
    let ours = values(layers::linear(&layer, x.clone()));
    assert_close(&ours, &values(layer.forward(x)), 2e-6, "linear");

    let mut norm = GroupNormConfig::new(2, 6).with_epsilon(1e-3).init(&device);
    norm.gamma = norm
        .gamma
        .map(|gamma| gamma.map(|g| g + random(5, [6], &device)));
    let x = random(2, [2, 6, 3, 5], &device);
    let [scale, shift] = [6, 7].map(|seed| random(seed, [2, 6], &device));
    let burns = norm.forward(x.clone());
    let plain = layers::group_norm(&norm, x.clone(), None, false);
    assert_close(&values(plain), &values(burns.clone()), 4e-6, "group norm");
    let [factor, offset] = [scale.clone() + 1.0, shift.clone()].map(|t| t.reshape([2, 6, 1, 1]));
    let expected = silu(burns * factor + offset);
    let modulated = layers::group_norm(&norm, x, Some((scale, shift)), true);
    assert_close(&values(modulated), &values(expected), 8e-6, "modulated");
}

fn batch_norms_join_their_convolution_at_any_size(device: Device) {
    let config = Conv2dConfig::new([4, 6], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(false);
    let layer = convolution(config, &device);
    let norm = batch_norm(6, &device);
    // Fewer and more pixels than values of a filter.
    for side in [4, 12] {
        let x = random(1, [2, 4, side, side], &device);
        let expected = norm.forward(layer.forward(x.clone()));
        let ours = layers::conv2d_batch_norm(&layer, &norm, x);
        assert_close(
            &values(ours),
            &values(expected),
            4e-6,
            &format!("side {side}"),
        );
    }
}

/// On a training device the statistics are the batch's, and the running ones follow.
#[cfg(feature = "flex")]
#[test]
fn a_batch_norm_in_training_learns_its_statistics() {
    let device = Device::flex().autodiff();
    let config = Conv2dConfig::new([4, 6], [3, 3]).with_bias(false);
    let layer = convolution(config, &device);
    let [ours, burns] = [(); 2].map(|()| batch_norm(6, &device));
    let x = random(1, [2, 4, 8, 8], &device);
    let maps = layers::conv2d_batch_norm(&layer, &ours, x.clone());
    let expected = burns.forward(layer.forward(x));
    assert_close(&values(maps), &values(expected), 4e-6, "maps");
    let running = |norm: &BatchNorm| values(norm.running_mean.value_sync());
    assert_close(&running(&ours), &running(&burns), 2e-6, "running mean");
    assert_ne!(running(&ours), values(random(13, [6], &device)));
}

/// Weights of `f32` and an input of a half type: the layer computes in the latter.
#[cfg(feature = "flex")]
#[test]
fn a_layer_computes_in_the_type_of_its_input() {
    let device = Device::flex();
    let layer = convolution(Conv2dConfig::new([4, 6], [3, 3]), &device);
    let x = random(1, [2, 4, 9, 10], &device);
    let half = layers::conv2d(&layer, x.clone().cast(FloatDType::F16));
    assert_eq!(FloatDType::from(half.dtype()), FloatDType::F16);
    assert_close(&values(half), &values(layer.forward(x)), 2e-3, "f16");
}

/// Weights or the input in a half type, at both forms of the joined norm.
#[cfg(feature = "flex")]
#[test]
fn a_batch_norm_takes_half_types() {
    let device = Device::flex();
    let config = Conv2dConfig::new([4, 6], [3, 3]).with_bias(false);
    let layer = convolution(config, &device);
    let mut half = layer.clone();
    half.weight = half.weight.map(|weight| weight.cast(FloatDType::F16));
    let norm = batch_norm(6, &device);
    for side in [4, 12] {
        let x = random(1, [2, 4, side, side], &device);
        let expected = values(norm.forward(layer.forward(x.clone())));
        let of_weight = layers::conv2d_batch_norm(&half, &norm, x.clone());
        assert_eq!(FloatDType::from(of_weight.dtype()), FloatDType::F32);
        assert_close(&values(of_weight), &expected, 2e-3, "half weight");
        let of_input = layers::conv2d_batch_norm(&layer, &norm, x.cast(FloatDType::F16));
        assert_eq!(FloatDType::from(of_input.dtype()), FloatDType::F16);
        assert_close(&values(of_input), &expected, 4e-3, "half input");
    }
}

/// A frozen norm on a training device keeps to its running statistics, and keeps them.
#[cfg(feature = "flex")]
#[test]
fn a_frozen_batch_norm_keeps_its_statistics() {
    let device = Device::flex().autodiff();
    let config = Conv2dConfig::new([4, 6], [3, 3]).with_bias(false);
    let run = |device: &Device| {
        let norm = batch_norm(6, device).freeze();
        let before = values(norm.running_mean.value());
        let x = random(1, [2, 4, 12, 12], device);
        let layer = convolution(config.clone(), device);
        let maps = layers::conv2d_batch_norm(&layer, &norm, x);
        assert_eq!(values(norm.running_mean.value_sync()), before);
        values(maps)
    };
    assert_close(
        &run(&device),
        &run(&Device::flex()),
        4e-6,
        "as without autodiff",
    );
}

#[cfg(feature = "flex")]
#[test]
fn uneven_padding_is_refused() {
    for padding in [
        PaddingConfig2d::Same,
        PaddingConfig2d::Explicit(0, 1, 1, 1),
        PaddingConfig2d::Explicit(1, 0, 1, 1),
    ] {
        let config = Conv2dConfig::new([1, 1], [2, 2]).with_padding(padding);
        let refused = std::panic::catch_unwind(move || {
            let layer = convolution(config, &Device::flex());
            layers::conv2d(&layer, Tensor::ones([1, 1, 4, 4], &Device::flex()))
        });
        let refused = refused.unwrap_err();
        let message = refused.downcast_ref::<String>().expect("a message");
        assert!(
            message.contains("one side more than the other"),
            "{message}"
        );
    }
}

#[cfg(feature = "flex")]
#[test]
#[should_panic(expected = "the norm takes a bias away")]
fn a_bias_before_a_batch_norm_is_refused() {
    let device = Device::flex();
    let layer = convolution(Conv2dConfig::new([4, 6], [3, 3]), &device);
    let x = Tensor::ones([1, 4, 4, 4], &device);
    layers::conv2d_batch_norm(&layer, &batch_norm(6, &device), x);
}

on_every_device!(
    convolutions_keep_stride_padding_dilation_and_groups,
    linear_layers_and_norms_are_burns,
    batch_norms_join_their_convolution_at_any_size,
);
