//! Sums and concatenations against Burn's.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor};
use common::{assert_close, channels_last, on_every_device, random};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn sums_equal_burn(device: Device) {
    for dims in [[1, 1, 1], [3, 5, 7], [2, 40, 1000]] {
        let (a, b) = (random(1, dims, &device), random(2, dims, &device));
        let expected = values(a.clone() + b.clone());
        // Either, none or both held by somebody else; a view.
        assert_close(
            &values(fas_kernels::add(a.clone(), b.clone())),
            &expected,
            0.0,
            "shared",
        );
        assert_close(
            &values(fas_kernels::add(a.clone(), b.clone() * 1.0)),
            &expected,
            0.0,
            "first",
        );
        assert_close(
            &values(fas_kernels::add(a.clone() * 1.0, b.clone())),
            &expected,
            0.0,
            "second",
        );
        assert_close(
            &values(a.clone() + b.clone()),
            &expected,
            0.0,
            "operands are unchanged",
        );
        let turned = fas_kernels::add(a.swap_dims(0, 2), b.swap_dims(0, 2)).swap_dims(0, 2);
        assert_close(&values(turned), &expected, 0.0, "views");
    }
}

fn concatenations_equal_burn(device: Device) {
    for ([n, height, width], channels) in [
        ([1, 1, 1], [1, 1]),
        ([3, 5, 7], [4, 2]),
        ([2, 64, 96], [3, 9]),
    ] {
        let a = random(1, [n, channels[0], height, width], &device);
        let b = random(2, [n, channels[1], height, width], &device);
        let expected = values(Tensor::cat(vec![a.clone(), b.clone()], 1));
        let joint = fas_kernels::concat_channels(a.clone(), b.clone());
        assert_eq!(joint.dims(), [n, channels[0] + channels[1], height, width]);
        assert_close(&values(joint), &expected, 0.0, "whole");
        let last = channels_last(a.clone());
        for (b, what) in [(channels_last(b.clone()), "last"), (b.clone(), "mixed")] {
            let joint = fas_kernels::concat_channels(last.clone(), b);
            assert_close(&values(joint), &expected, 0.0, what);
        }
        let view = |t: Tensor<4>| t.swap_dims(2, 3).mul_scalar(1.0).swap_dims(2, 3);
        let joint = fas_kernels::concat_channels(view(a), view(b));
        assert_close(&values(joint), &expected, 0.0, "views");
    }
}

fn gradients_go_to_both(device: Device) {
    let device = device.autodiff();
    let [a, b] = [1, 2].map(|seed| random(seed, [2, 3, 4, 5], &device).require_grad());
    let weight = random(3, [2, 6, 4, 5], &device);
    let sum = fas_kernels::add(a.clone(), b.clone());
    let joint = fas_kernels::concat_channels(sum, b.clone());
    let gradients = (joint * weight.clone()).sum().backward();
    let [left, right] = [0, 3].map(|first| weight.clone().narrow(1, first, 3));
    assert_close(
        &values(a.grad(&gradients).unwrap()),
        &values(left.clone()),
        1e-6,
        "first",
    );
    assert_close(
        &values(b.grad(&gradients).unwrap()),
        &values(left + right),
        1e-6,
        "second",
    );
}

on_every_device!(
    sums_equal_burn,
    concatenations_equal_burn,
    gradients_go_to_both,
);
