//! Max-pooling against Burn's.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use common::{on_every_device, random};

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn values_and_gradients_equal_burn(device: Device) {
    for size in [
        [1, 1, 1, 1],
        [2, 3, 5, 7],
        [1, 2, 8, 33],
        [3, 1, 1, 40],
        [2, 1, 9, 2],
        [2, 5, 64, 64],
    ] {
        let run = |pool: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let plain = pool(random(1, size, &device) - 2.0);
            let x = random(1, size, &device.clone().autodiff()).require_grad();
            let y = pool(x.clone());
            let gradients = (y.clone() * y.clone()).sum().backward();
            [plain, y, x.grad(&gradients).unwrap()].map(values)
        };
        let burn = run(&|x| {
            let options = MaxPoolOptions {
                kernel_size: [3, 3],
                stride: [2, 2],
                padding: [(1, 1); 2],
                dilation: [1, 1],
                ceil_mode: false,
            };
            max_pool2d(x, options)
        });
        assert_eq!(run(&fas_kernels::max_pool_3x3), burn, "{size:?}");
    }
}

fn nan_passes_through(device: Device) {
    let mut pixels = [0.0_f32; 49];
    pixels[3 * 7 + 2] = f32::NAN;
    let x = Tensor::<1>::from_data(pixels, &device).reshape([1, 1, 7, 7]);
    for (i, value) in values(fas_kernels::max_pool_3x3(x)).iter().enumerate() {
        // Of the outputs in rows 2 and 4 of the map, column 2 alone sees the pixel.
        assert_eq!(
            value.is_nan(),
            [(1, 1), (2, 1)].contains(&(i / 4, i % 4)),
            "{i}"
        );
    }
}

on_every_device!(nan_passes_through, values_and_gradients_equal_burn);
