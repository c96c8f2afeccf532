//! Weights where convolutions look for them.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, ops::ConvOptions};
use common::{assert_close, on_every_device, random};
use fas_kernels::lay_out_convolutions;

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn values_stay(device: Device) {
    for (channels, side, groups) in [
        ([8, 16], 3, 1),
        ([12, 5], 1, 1),
        ([6, 6], 3, 6),
        ([3, 4], 7, 1),
    ] {
        let config = Conv2dConfig::new(channels, [side; 2]).with_groups(groups);
        let plain = config.init(&device);
        let laid_out = lay_out_convolutions(plain.clone());
        assert_close(
            &values(laid_out.weight.val()),
            &values(plain.weight.val()),
            0.0,
            "weight",
        );
        let run = |layer: &Conv2d| {
            let x = random(1, [2, channels[0], 9, 10], &device);
            let bias = layer.bias.as_ref().map(|bias| bias.val());
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], groups);
            values(fas_kernels::conv2d(x, layer.weight.val(), bias, options))
        };
        let what = format!("{channels:?} {side}");
        assert_close(&run(&laid_out), &run(&plain), 2e-6, &what);
    }
}

on_every_device!(values_stay);
