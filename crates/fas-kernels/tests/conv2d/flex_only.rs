//! What only the CPU has: Winograd's transforms, threads, and batches that change no bit.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use super::common::{random, with_threads};
use super::{Case, assert_equals_burn, fast_conv, run};

#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex().autodiff();
    for (batch_size, channels, size) in [(1, [20, 50], [32, 32]), (5, [24, 40], [9, 8])] {
        for (kernel, stride, depthwise) in [
            (3, 1, false),
            (3, 2, false),
            (1, 1, false),
            (3, 1, true),
            (3, 2, true),
        ] {
            let case = Case {
                batch_size,
                channels: if depthwise {
                    [channels[1]; 2]
                } else {
                    channels
                },
                size,
                kernel,
                stride,
                bias: true,
                depthwise,
            };
            let run = |threads| {
                with_threads(threads, || {
                    run(case.inputs(&device), case.options(), fast_conv)
                })
            };
            let one = run(1);
            for threads in [2, 3, 8] {
                for ((name, one), (_, many)) in one.iter().zip(run(threads)) {
                    let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert!(
                        bits(one) == bits(&many),
                        "{name} of {case:?}, {threads} threads"
                    );
                }
            }
        }
    }
}

/// Sizes on both sides of every choice of a kernel: 8x8 pixels and 16 channels are Winograd's.
#[test]
fn an_image_does_not_depend_on_its_batch() {
    let device = Device::flex();
    let bits = |tensor: Tensor<4>| -> Vec<u32> {
        let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    for side in [2, 4, 7, 8, 9, 16, 24, 32, 46] {
        for channels in [[6, 16], [16, 16], [48, 40]] {
            for (kernel, stride) in [(3, 1), (3, 2), (1, 1)] {
                let case = Case {
                    batch_size: 5,
                    channels,
                    size: [side; 2],
                    kernel,
                    stride,
                    bias: true,
                    depthwise: false,
                };
                let (x, weight, bias) = case.inputs(&device);
                let run = |x: Tensor<4>| {
                    fas_kernels::conv2d(x, weight.clone(), bias.clone(), case.options())
                };
                let together = run(x.clone());
                for range in [0..1, 2..4, 4..5] {
                    let part =
                        |batch: &Tensor<4>| batch.clone().narrow(0, range.start, range.len());
                    assert!(
                        bits(part(&together)) == bits(run(part(&x))),
                        "{case:?} {range:?}"
                    );
                }
            }
        }
    }
}

/// Sizes that Winograd's transform serves: odd ones, several images a block, tails of every kind.
const WINOGRAD: [(usize, [usize; 2], [usize; 2]); 17] = [
    (2, [16, 16], [8, 8]),
    (9, [20, 50], [4, 4]),
    (1, [33, 17], [13, 11]),
    (3, [64, 40], [7, 9]),
    (1, [18, 70], [33, 31]),
    (2, [16, 24], [1, 90]),
    (2, [24, 16], [90, 1]),
    (1, [130, 16], [40, 70]),
    (3, [20, 17], [128, 17]),
    (2, [16, 33], [61, 57]),
    (1, [18, 24], [1, 2100]),
    (1, [24, 18], [2100, 1]),
    (5, [17, 40], [46, 46]),
    (2, [150, 20], [24, 34]),
    (1, [80, 20], [9, 300]),
    (8, [20, 17], [6, 12]),
    (9, [33, 16], [12, 6]),
];

/// Maps of so many pixels have tiles of 4x4.
const LARGE_MAP: usize = 2048;

#[test]
fn transformed_convolutions_keep_their_bound() {
    let device = Device::flex();
    for (batch_size, channels, size) in WINOGRAD {
        let case = Case {
            batch_size,
            channels,
            size,
            kernel: 3,
            stride: 1,
            bias: false,
            depthwise: false,
        };
        let (x, weight, _) = case.inputs(&device);
        let y = fas_kernels::conv2d(x.clone(), weight.clone(), None, case.options());
        let [x, weight, y] = [x, weight, y].map(|t| t.into_data().try_to_vec::<f32>().unwrap());
        let ([channels_in, channels_out], [height, width]) = (channels, size);
        // The documented bound, for values up to 1.
        let k = channels_in as f64;
        let large = height * width >= LARGE_MAP;
        let growth = if large { 564.0 } else { 81.0 };
        let bound = (k + 32.0) * 2f64.powi(-24) * growth * k;
        let mut largest = 0.0_f64;
        for (index, y) in y.iter().enumerate() {
            let (column, row) = (index % width, index / width % height);
            let plane = index / (width * height);
            let (o, n) = (plane % channels_out, plane / channels_out);
            let mut exact = 0.0;
            for i in 0..channels_in {
                for tap in 0..9 {
                    let (v, u) = (row + tap / 3, column + tap % 3);
                    if (1..=height).contains(&v) && (1..=width).contains(&u) {
                        let at = ((n * channels_in + i) * height + v - 1) * width + u - 1;
                        let weight = weight[(o * channels_in + i) * 9 + tap];
                        exact += f64::from(x[at]) * f64::from(weight);
                    }
                }
            }
            largest = largest.max((f64::from(*y) - exact).abs());
        }
        assert!(largest < bound, "{case:?}: error {largest:e}");
        // What it is in practice: a few units of the sums' usual size, sqrt(9 k) / 3.
        let usual = if large { 2e-5 } else { 4e-6 } * k.sqrt();
        assert!(largest < usual, "{case:?}: error {largest:e}");
    }
}

#[test]
fn transformed_weight_gradients_keep_their_bound() {
    let device = Device::flex().autodiff();
    for (batch_size, channels, size) in WINOGRAD {
        let case = Case {
            batch_size,
            channels,
            size,
            kernel: 3,
            stride: 1,
            bias: false,
            depthwise: false,
        };
        let (x, weight, _) = case.inputs(&device);
        let weight = weight.require_grad();
        let ([channels_in, channels_out], [height, width]) = (channels, size);
        let gradient = random(7, [batch_size, channels_out, height, width], &device);
        let y = fas_kernels::conv2d(x.clone(), weight.clone(), None, case.options());
        let gradients = (y * gradient.clone()).sum().backward();
        let ours = weight.grad(&gradients).unwrap();
        let ours = ours.into_data().try_to_vec::<f32>().unwrap();
        let [x, gradient] = [x, gradient].map(|t| t.into_data().try_to_vec::<f32>().unwrap());
        let tiles = (batch_size * height.div_ceil(2) * width.div_ceil(2)) as f64;
        let bound = (tiles + 32.0) * 2f64.powi(-24) * 64.0 * tiles;
        let mut largest = 0.0_f64;
        // Every seventh kernel: all of them take minutes without optimisation.
        for kernel in (0..channels_out * channels_in).step_by(7) {
            let (o, i) = (kernel / channels_in, kernel % channels_in);
            for tap in 0..9 {
                let mut exact = 0.0;
                for n in 0..batch_size {
                    let x = &x[(n * channels_in + i) * height * width..];
                    let gradient = &gradient[(n * channels_out + o) * height * width..];
                    for (row, column) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                        let (v, u) = (row + tap / 3, column + tap % 3);
                        if (1..=height).contains(&v) && (1..=width).contains(&u) {
                            exact += f64::from(x[(v - 1) * width + u - 1])
                                * f64::from(gradient[row * width + column]);
                        }
                    }
                }
                largest = largest.max((f64::from(ours[kernel * 9 + tap]) - exact).abs());
            }
        }
        assert!(largest < bound, "{case:?}: error {largest:e}");
        // What it is in practice, beside sums of the usual size sqrt(4 tiles) / 3.
        let usual = 2e-6 * tiles.sqrt();
        assert!(largest < usual, "{case:?}: error {largest:e}");
    }
}

#[test]
fn an_infinite_corner_spoils_no_tap_that_does_not_see_it() {
    let device = Device::flex().autodiff();
    let mut values = vec![1.0_f32; 16 * 64];
    values[5 * 64] = f32::INFINITY;
    let x = Tensor::<1>::from_data(values.as_slice(), &device).reshape([1, 16, 8, 8]);
    let weight = Tensor::<4>::ones([16, 16, 3, 3], &device).require_grad();
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let y = fas_kernels::conv2d(x, weight.clone(), None, options);
    let gradient = weight.grad(&y.sum().backward()).unwrap();
    let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
    for (i, value) in gradient.into_iter().enumerate() {
        let (row, column) = (i % 9 / 3, i % 3);
        if i / 9 % 16 == 5 && row < 2 && column < 2 {
            assert_eq!(value, f32::INFINITY, "tap {row} {column}");
        } else {
            let pixels = [7.0, 8.0, 7.0];
            assert_eq!(value, pixels[row] * pixels[column], "tap {row} {column}");
        }
    }
}

#[test]
fn transformed_gradients_equal_burn() {
    let device = Device::flex().autodiff();
    for (batch_size, channels, size) in WINOGRAD {
        let case = Case {
            batch_size,
            channels,
            size,
            kernel: 3,
            stride: 1,
            bias: true,
            depthwise: false,
        };
        assert_equals_burn(&case, [&device; 2], 2e-5);
    }
}

#[test]
fn pixels_of_large_maps_equal_burn() {
    let device = Device::flex().autodiff();
    for (batch_size, channels, size) in [
        (1, [1, 1], [64, 32]),
        (3, [33, 17], [47, 45]),
        (2, [5, 50], [1, 2049]),
        (1, [130, 7], [64, 128]),
    ] {
        let case = Case {
            batch_size,
            channels,
            size,
            kernel: 1,
            stride: 1,
            bias: true,
            depthwise: false,
        };
        assert_equals_burn(&case, [&device; 2], 1e-5);
    }
}

#[test]
fn one_bad_value_does_not_spoil_its_tile() {
    let device = Device::flex();
    let bad_values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38];
    for (side, bad) in [16, 48]
        .into_iter()
        .flat_map(|side| bad_values.map(|bad| (side, bad)))
    {
        let pixels = side * side;
        let mut values = vec![1.0_f32; 16 * pixels];
        values[3 * pixels + 7 * side + 8] = bad;
        let x = Tensor::<1>::from_data(values.as_slice(), &device).reshape([1, 16, side, side]);
        let weight = Tensor::<4>::ones([16, 16, 3, 3], &device);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let y = fas_kernels::conv2d(x, weight, None, options);
        let y = y.into_data().try_to_vec::<f32>().unwrap();
        for (i, value) in y.iter().enumerate() {
            let (row, column) = (i / side % side, i % side);
            if (6..=8).contains(&row) && (7..=9).contains(&column) {
                assert!(
                    value.is_nan() || value.abs() > 1e38,
                    "{row} {column}: {value}"
                );
            } else if bad.is_finite() {
                // A sum of finite values; what is lost beside 3e38 is lost in its tile.
                assert!(value.is_finite(), "{row} {column}: {value}");
            } else {
                assert!((value - 16.0 * 9.0).abs() < 81.0, "{row} {column}: {value}");
            }
        }
    }
}
