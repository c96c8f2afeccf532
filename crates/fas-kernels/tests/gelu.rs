//! Both forms of the Gaussian error linear unit against exact values and Burn's operations.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor, activation};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, burn_device, exp_error, on_every_device, random};
use fas_kernels::{GeluForm, gelu};

const FORMS: [GeluForm; 2] = [GeluForm::Erf, GeluForm::Tanh];

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn burn_gelu<const D: usize>(x: Tensor<D>, form: GeluForm) -> Tensor<D> {
    let x = x.to_device(&burn_device());
    match form {
        GeluForm::Erf => activation::gelu(x),
        GeluForm::Tanh => activation::gelu_approximate(x),
    }
}

/// `x`, value and slope of the `Erf` form, from `erfc` and `exp` in double precision.
const EXACT: [[f64; 3]; 7] = [
    [-9.0, -1.015_729_565_358_458e-18, -9.138_937_373_906_64e-18],
    [
        -4.0,
        -0.000_126_684_967_332_479_86,
        -0.000_503_649_661_226_421_5,
    ],
    [-1.0, -0.158_655_253_931_457_07, -0.083_315_470_587_686_29],
    [
        -0.000_976_562_5,
        -0.000_487_900_789_053_925_27,
        0.499_220_816_106_286_9,
    ],
    [0.5, 0.345_731_230_637_006_56, 0.867_495_124_656_162_9],
    [2.0, 1.954_499_736_103_641_6, 1.085_231_801_078_197],
    [6.0, 5.999_999_994_080_474, 1.000_000_035_468_709_3],
];

/// Largest error of a value of the `Erf` form, as documented.
fn erf_bound(device: &Device, x: f64, exact: f64) -> f64 {
    if device.clone().without_autodiff() != burn_device() {
        (6e-7 + exp_error(device, x * x / 2.0)) * exact.abs() + 1e-42
    } else if x >= -5.5 {
        (6e-6 * exact.abs()).min(6e-7 * x.abs()) + 1e-42
    } else {
        1.1e-7
    }
}

fn known_values_and_slopes(device: Device) {
    let device = device.autodiff();
    let points = EXACT.map(|[x, ..]| x as f32);
    let x = Tensor::<1>::from_data(points, &device).require_grad();
    let y = gelu(x.clone(), GeluForm::Erf);
    let gradients = y.clone().sum().backward();
    let slopes = values(x.grad(&gradients).unwrap());
    for (([x, exact, exact_slope], y), slope) in EXACT.iter().zip(values(y)).zip(slopes) {
        let exp_error = exp_error(&device, x * x / 2.0);
        let error = (f64::from(y) - exact).abs();
        let bound = erf_bound(&device, *x, *exact);
        assert!(error < bound, "gelu({x}) = {y}: error {error:e}");
        let error = (f64::from(slope) / exact_slope - 1.0).abs();
        // The slope's two parts cancel in part.
        assert!(
            error < 2e-6 + 2.0 * exp_error,
            "slope at {x}: {slope}, error {error:e}"
        );
    }
}

/// Values and slopes in f64: sums of a power series where `|x| <= 4`, else a continued fraction.
fn exact(x: f64, form: GeluForm) -> [f64; 2] {
    match form {
        GeluForm::Erf => {
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let phi = if x.abs() <= 4.0 {
                let (mut term, mut sum) = (x, x);
                for k in 1..200 {
                    term *= x * x / f64::from(2 * k + 1);
                    sum += term;
                }
                0.5 + density * sum
            } else {
                let fraction = (1..100)
                    .rev()
                    .fold(x.abs(), |f, k| x.abs() + f64::from(k) / f);
                let tail = density / fraction;
                if x < 0.0 { tail } else { 1.0 - tail }
            };
            [x * phi, phi + x * density]
        }
        GeluForm::Tanh => {
            let slope = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
            let y = slope * (x + 0.044715 * x.powi(3));
            let s = 1.0 / (1.0 + (-y).exp());
            [
                x * s,
                s + x * s * (1.0 - s) * slope * (1.0 + 3.0 * 0.044715 * x * x),
            ]
        }
    }
}

fn errors_are_bounded_everywhere(device: Device) {
    let device = device.autodiff();
    for form in FORMS {
        let grid: Vec<f32> = (-130_000..=130_000).map(|i| i as f32 * 1e-4).collect();
        let x = Tensor::<1>::from_data(grid.as_slice(), &device).require_grad();
        let y = gelu(x.clone(), form);
        let gradients = y.clone().sum().backward();
        let slopes = values(x.grad(&gradients).unwrap());
        for ((x, y), slope) in grid.iter().zip(values(y)).zip(slopes) {
            let x = f64::from(*x);
            let [value, exact_slope] = exact(x, form);
            let error = (f64::from(y) - value).abs();
            // `exp(-x)` is multiplied by `3 + 2 x` units at most, which is largest at zero.
            let absolute = exp_error(&device, 0.0);
            let bound = match form {
                GeluForm::Erf if value.abs() > 1e-36 => erf_bound(&device, x, value),
                _ => (6e-7 + absolute) * x.abs().max(1.0),
            };
            assert!(error < bound, "{form:?} {x}: {y}, not {value}");
            let error = (f64::from(slope) - exact_slope).abs();
            assert!(
                error < 1e-6 + 2.0 * absolute,
                "{form:?} slope at {x}: {slope}, not {exact_slope}"
            );
        }
    }
}

fn equals_burn_on_views_of_every_length(device: Device) {
    for form in FORMS {
        for len in [1, 15, 16, 17, 8 * 1024 + 1, 40_000] {
            let x = random(len as u64, [len], &device) * 6.0;
            let ours = values(gelu(x.clone(), form));
            assert_close(&ours, &values(burn_gelu(x, form)), 1e-6, "length");
        }
        let x = random(1, [7, 9, 5], &device).permute([2, 0, 1]) * 6.0;
        let ours = values(gelu(x.clone(), form));
        assert_close(&ours, &values(burn_gelu(x, form)), 1e-6, "view");
        let x = random(2, [1, 9], &device).expand([33, 9]);
        let ours = values(gelu(x.clone(), form));
        assert_close(&ours, &values(burn_gelu(x, form)), 1e-6, "broadcast");
    }
}

fn gradients_equal_finite_differences(device: Device) {
    let device = device.autodiff();
    for form in FORMS {
        let x = (random(5, [3, 37], &device) * 4.0).detach().require_grad();
        let gradients = gelu(x.clone(), form).sum().backward();
        let slopes = values(x.grad(&gradients).unwrap());
        let step = 1e-2;
        let [above, below] =
            [step, -step].map(|step| values(gelu(x.clone().detach() + step, form)));
        for ((slope, above), below) in slopes.iter().zip(above).zip(below) {
            let difference = (above - below) / (2.0 * step);
            // The step's square times the third derivative, and rounding over the step.
            assert!(
                (slope - difference).abs() < 1.5e-4,
                "{form:?}: {slope} against {difference}"
            );
        }
    }
}

fn special_values_pass_as_in_burn(device: Device) {
    let device = device.autodiff();
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        100.0,
        -100.0,
    ];
    for form in FORMS {
        let run = |f: fn(Tensor<1>, GeluForm) -> Tensor<1>| {
            values(f(Tensor::<1>::from_data(special, &device), form))
        };
        assert_close(&run(gelu), &run(burn_gelu), 0.0, "special values");
        let x = Tensor::<1>::from_data(special, &device).require_grad();
        let gradients = gelu(x.clone(), form).sum().backward();
        let slopes = values(x.grad(&gradients).unwrap());
        assert!(slopes[..3].iter().all(|slope| slope.is_nan()), "{slopes:?}");
        assert_eq!(slopes[3..], [0.5, 0.5, 1.0, 0.0]);
    }
}

#[cfg(feature = "flex")]
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex();
    for form in FORMS {
        let run = |threads| {
            with_threads(threads, || {
                let y = values(gelu(random(1, [100_003], &device) * 9.0, form));
                y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5));
    }
}

on_every_device!(
    known_values_and_slopes,
    errors_are_bounded_everywhere,
    equals_burn_on_views_of_every_length,
    gradients_equal_finite_differences,
    special_values_pass_as_in_burn,
);
