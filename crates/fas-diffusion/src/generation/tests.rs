use super::*;
use crate::awake::Awake;
use crate::{
    DdpmConfig, DdpmVariance, DpmSolverConfig, GeneratorConfig, Prediction, StyleEncoderConfig,
    UNetConfig,
};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tolerance};

fn faces(count: usize, device: &Device) -> Tensor<4> {
    Tensor::random([count, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), device)
}

fn awake(config: &GeneratorConfig, device: &Device) -> Generator {
    device.seed(7);
    let generator = config.init(device);
    let networks = generator.networks().clone().map(&mut Awake);
    generator.with_networks(networks)
}

/// The small network, and one with the blocks, norms and variance logits of the released code.
fn generators(device: &Device) -> [Generator; 2] {
    let released = UNetConfig::released()
        .with_model_channels(16)
        .with_channel_mult(vec![1, 2, 4, 4])
        .with_embed_channels(32)
        .with_num_res_blocks(1)
        .with_fusion_sizes(vec![16, 8])
        .with_num_groups(8);
    let released = UNetConfig {
        image_size: 64,
        ..released
    };
    let encoder = StyleEncoderConfig::small(3)
        .with_stem_channels(8)
        .with_widths(vec![8, 64, 64]);
    [
        awake(&GeneratorConfig::small(3), device),
        awake(&GeneratorConfig::new(released, encoder), device),
    ]
}

fn samplers() -> [Sampler; 3] {
    [
        DdimConfig::new(400)
            .with_sampling_steps(3)
            .with_eta(0.5)
            .into(),
        DpmSolverConfig::new(400).with_sampling_steps(3).into(),
        DdpmConfig::new(2)
            .with_variance(DdpmVariance::Posterior)
            .into(),
    ]
}

fn bits(tensor: Tensor<4>) -> Vec<u32> {
    let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn an_untrained_live_centred_generator_gives_back_the_face() {
    // F = 0 at the start, so x_0 moves from the noised face towards the live face.
    let device = Device::default();
    let generator = GeneratorConfig::small(3).init(&device);
    let content = faces(1, &device);
    let sampler = DdimConfig::new(999)
        .with_sampling_steps(2)
        .with_stop_step(900);
    let config = GenerationConfig::new(sampler.into()).with_guidance_scale(1.0);
    let out = generator
        .generate(content.clone(), faces(1, &device), &["a"], 0, &config)
        .unwrap();
    let error: f32 = (out - content).abs().mean().into_scalar();
    assert!(error < 0.02, "{error}");
}

#[test]
fn an_image_is_the_same_to_the_bit_in_every_batch() {
    let device = Device::default();
    let ids = ["a", "b", "c"];
    for generator in generators(&device) {
        let (content, style) = (faces(3, &device), faces(3, &device));
        // Without guidance the passes are half as large: kernels that choose by size would differ.
        let unguided = GenerationConfig::new(samplers()[0].clone()).with_guidance_scale(1.0);
        let guided = samplers().map(GenerationConfig::new);
        let in_all_ways = guided[1]
            .clone()
            .with_content_guidance(2.0)
            .with_weaker_guidance(1.5);
        let weaker = awake(generator.config(), &device);
        let generator = generator.with_weaker(weaker).unwrap();
        for config in guided.into_iter().chain([unguided, in_all_ways]) {
            let run = |order: &[usize]| {
                let pick = |batch: &Tensor<4>| {
                    let rows = order.iter().map(|&i| batch.clone().narrow(0, i, 1));
                    Tensor::cat(rows.collect(), 0)
                };
                let names: Vec<&str> = order.iter().map(|&i| ids[i]).collect();
                generator
                    .generate(pick(&content), pick(&style), &names, 5, &config)
                    .unwrap()
            };
            let whole = run(&[0, 1, 2]);
            let spread: f32 = (whole.clone() - content.clone()).abs().mean().into_scalar();
            assert!(spread > 1e-3, "nothing was generated: {spread}");
            let turned = run(&[2, 0]);
            for (index, part) in [
                (2, turned.clone().narrow(0, 0, 1)),
                (0, turned.narrow(0, 1, 1)),
            ] {
                let joint = whole.clone().narrow(0, index, 1);
                assert!(
                    bits(joint) == bits(part),
                    "{config}, image {index} of a pair"
                );
            }
            let alone = run(&[1]);
            assert!(
                bits(whole.narrow(0, 1, 1)) == bits(alone),
                "{config}, alone"
            );
        }
    }
}

#[test]
fn guidance_is_equation_12_with_the_live_face_in_both_halves() {
    let device = Device::default();
    let generator = awake(&GeneratorConfig::small(3), &device);
    let (content, style) = (faces(1, &device), faces(1, &device));
    // One step from t to the clean image, so that the result is linear in the guided noise.
    let sampler = DdimConfig::new(300).with_sampling_steps(1).with_clip(false);
    let run = |scale: f64, style: &Tensor<4>| {
        let config = GenerationConfig::new(sampler.clone().into())
            .with_guidance_scale(scale)
            .with_temperature(0.1);
        generator
            .generate(content.clone(), style.clone(), &["a"], 5, &config)
            .unwrap()
    };
    let conditional = run(1.0, &style);
    let unconditional = run(1.0, &style.zeros_like());
    let guided = run(1.5, &style);
    let expected = (unconditional.clone() + (conditional.clone() - unconditional.clone()) * 1.5)
        .clamp(-1.0, 1.0);
    let inside = |tensor: Tensor<4>, of: &Tensor<4>| {
        tensor
            .mask_fill(of.clone().abs().greater_elem(0.95), 0.0)
            .into_data()
    };
    let strength: f32 = (conditional - unconditional).abs().mean().into_scalar();
    assert!(strength > 1e-4, "the style does nothing: {strength}");
    inside(guided, &expected).assert_approx_eq(
        &inside(expected.clone(), &expected),
        Tolerance::<f32>::rel_abs(1e-4, 1e-4),
    );
}

#[test]
fn guidance_acts_within_its_interval() {
    let device = Device::default();
    let generator = awake(&GeneratorConfig::small(3), &device);
    let (content, style) = (faces(1, &device), faces(1, &device));
    let run = |steps: usize, scale: f64, interval: Option<[usize; 2]>| {
        let sampler = DdimConfig::new(300)
            .with_sampling_steps(steps)
            .with_stop_step(100);
        let config = GenerationConfig::new(sampler.into())
            .with_guidance_scale(scale)
            .with_guidance_interval(interval);
        let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
        bits(out.unwrap())
    };
    assert!(run(1, 3.0, Some([0, 299])) == run(1, 1.0, None));
    assert!(run(1, 3.0, Some([300, 300])) == run(1, 3.0, None));
    // Steps 300 and 100.
    let parts = [None, Some([101, 999]), Some([0, 299]), Some([101, 299])];
    let [all, first, second, neither] = parts.map(|interval| run(2, 3.0, interval));
    assert!(neither == run(2, 1.0, None));
    assert!(run(2, 3.0, Some([100, 300])) == all);
    for (a, b) in [(&first, &second), (&first, &all), (&second, &all)] {
        assert!(a != b);
    }
    assert!(first != neither && second != neither);
}

#[test]
fn every_sampler_guides_within_the_interval() {
    let device = Device::default();
    let [_, generator] = generators(&device);
    let (content, style) = (faces(1, &device), faces(1, &device));
    let [ddim, solver, _] = samplers();
    for sampler in [ddim, solver, DdpmConfig::new(2).into()] {
        let start = sampler.start_step();
        let run = |scale: f64, interval: Option<[usize; 2]>| {
            let config = GenerationConfig::new(sampler.clone())
                .with_guidance_scale(scale)
                .with_guidance_interval(interval);
            let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
            bits(out.unwrap())
        };
        let (none, all) = (run(1.0, None), run(3.0, None));
        let first = run(3.0, Some([start, start]));
        assert!(run(3.0, Some([0, 999])) == all, "{start}");
        assert!(first != all && first != none, "{start}");
    }
}

#[test]
fn guidances_add_up_each_from_its_own_prediction() {
    let device = Device::default();
    for generator in generators(&device) {
        device.seed(11);
        let weaker = generator.networks().clone().map(&mut Awake);
        let weaker = generator.clone().with_networks(weaker);
        let (content, style) = (faces(1, &device), faces(1, &device));
        // One step from t to the clean image, so that the result is linear in the noise.
        let (t, temperature) = (300, 0.1);
        let sampler = DdimConfig::new(t).with_sampling_steps(1).with_clip(false);
        let config = GenerationConfig::new(sampler.into())
            .with_guidance_scale(1.5)
            .with_content_guidance(1.25)
            .with_content_blur(7)
            .with_weaker_guidance(1.75)
            .with_temperature(temperature);
        let beside = generator.clone().with_weaker(weaker.clone()).unwrap();
        let made = beside
            .generate(content.clone(), style.clone(), &["a"], 5, &config)
            .unwrap();

        let schedule = generator.process.schedule();
        let (signal, rate) = (schedule.signal_rate(t), schedule.noise_rate(t));
        let noise = sample_noise(5, &["a"], 3, 64, &device);
        let x = content.clone() * signal + noise * (rate * temperature);
        let seen = |by: &Generator, live: &Tensor<4>, style: &Tensor<4>| {
            let timestep = Tensor::<1, Int>::from_data([t], &device);
            let condition = by.condition(style.clone());
            let noise = by.predict(&x, live, &timestep, &condition).remove(0);
            (x.clone() - noise.narrow(1, 0, 3) * rate) / signal
        };
        let own = seen(&generator, &content, &style);
        let others = [
            seen(&generator, &content, &style.zeros_like()),
            seen(&generator, &blurred(content.clone(), 7), &style),
            seen(&weaker, &content, &style),
        ];
        let mut expected = own.clone();
        for (other, weight) in others.into_iter().zip([0.5, 0.25, 0.75]) {
            let difference = own.clone() - other;
            let strength: f32 = difference.clone().abs().mean().into_scalar();
            assert!(strength > 1e-4, "it guides nowhere: {strength}");
            expected = expected + difference * weight;
        }
        let inside = |tensor: Tensor<4>| {
            tensor
                .mask_fill(expected.clone().abs().greater_elem(0.95), 0.0)
                .into_data()
        };
        inside(made).assert_approx_eq(
            &inside(expected.clone()),
            Tolerance::<f32>::rel_abs(1e-3, 1e-3),
        );
    }
}

#[test]
fn a_blurred_pixel_is_the_mean_of_those_around_it_inside_the_image() {
    let device = Device::default();
    let image = Tensor::<4>::from_data(
        [[[[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 18.0]]]],
        &device,
    );
    let expected = [[[[2.25, 1.5, 0.0], [1.5, 3.0, 3.0], [0.0, 3.0, 4.5]]]];
    blurred(image, 3)
        .into_data()
        .assert_approx_eq(&expected.into(), Tolerance::<f32>::absolute(1e-6));
}

#[test]
fn guidance_from_nothing_is_an_error() {
    let device = Device::default();
    let generator = GeneratorConfig::small(3).init(&device);
    let refused = |generator: &Generator, config: GenerationConfig| {
        generator
            .generate(faces(1, &device), faces(1, &device), &["a"], 0, &config)
            .unwrap_err()
    };
    let config = GenerationConfig::new(DdimConfig::new(300).into());
    for side in [1, 4] {
        let even = config
            .clone()
            .with_content_guidance(2.0)
            .with_content_blur(side);
        let error = refused(&generator, even);
        assert!(matches!(error, DiffusionError::ContentBlur { side: s } if s == side));
    }
    let away = config.clone().with_weaker_guidance(1.5);
    let error = refused(&generator, away.clone());
    assert!(matches!(error, DiffusionError::NoWeakerGenerator { scale } if scale == 1.5));
    // Styles from before the weaker generator was there.
    let styles = generator.prepare_styles(faces(1, &device));
    let beside = generator.clone().with_weaker(generator.clone()).unwrap();
    let made = beside.generate_prepared(faces(1, &device), &styles, &["a"], 0, &away);
    assert!(matches!(
        made.unwrap_err(),
        DiffusionError::NoWeakerGenerator { .. }
    ));
    let mut other = GeneratorConfig::small(3);
    other.unet.image_size = 32;
    let other = other.init(&device);
    let error = generator.with_weaker(other).unwrap_err().to_string();
    assert!(error.contains("the weaker generator has 32 px"), "{error}");
}

#[test]
fn an_interval_that_is_none_is_an_error() {
    let device = Device::default();
    let generator = GeneratorConfig::small(3).init(&device);
    for interval in [[600, 100], [0, 1000]] {
        let config = GenerationConfig::new(DdimConfig::new(300).into())
            .with_guidance_interval(Some(interval));
        let made = generator.generate(faces(1, &device), faces(1, &device), &["a"], 0, &config);
        assert!(matches!(
            made.unwrap_err(),
            DiffusionError::GuidanceInterval { .. }
        ));
    }
}

#[test]
fn ancestral_sampling_uses_the_learned_variance() {
    let device = Device::default();
    let [_, generator] = generators(&device);
    let (content, style) = (faces(1, &device), faces(1, &device));
    let run = |variance: DdpmVariance| {
        let sampler = DdpmConfig::new(3).with_variance(variance);
        let config = GenerationConfig::new(sampler.into());
        let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
        bits(out.unwrap())
    };
    assert!(run(DdpmVariance::Learned) != run(DdpmVariance::Posterior));
}

#[test]
fn every_form_of_prediction_samples_alike() {
    // A network whose output is the right one for x_0 = the live face: all forms, all samplers.
    let device = Device::default();
    let content = faces(1, &device);
    for prediction in [Prediction::Noise, Prediction::Velocity] {
        let config = GeneratorConfig::small(3).with_prediction(prediction);
        let generator = config.init(&device);
        let schedule = generator.process.schedule();
        let form = prediction.init(schedule, &device);
        let denoiser = |x_t: Tensor<4>, t: Tensor<1, Int>| {
            let output = form.target(content.clone(), x_t.clone(), content.clone(), &t);
            form.noise(output, x_t, content.clone(), &t)
        };
        let solver = DpmSolverConfig::new(500).with_sampling_steps(5);
        let steps = solver.timesteps(schedule);
        let x = content.clone() * schedule.signal_rate(500)
            + sample_noise(1, &["x"], 3, 64, &device) * schedule.noise_rate(500);
        dpm_solver_sample(denoiser, schedule, x, &steps, &solver, |_, _| {})
            .into_data()
            .assert_approx_eq(&content.to_data(), Tolerance::<f32>::rel_abs(1e-3, 1e-3));
    }
}

#[test]
fn uneven_batches_are_an_error() {
    let device = Device::default();
    let generator = GeneratorConfig::small(3).init(&device);
    let error = generator
        .generate(
            faces(2, &device),
            faces(1, &device),
            &["a", "b"],
            0,
            &GenerationConfig::released(),
        )
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("2 content images, 1 style images"),
        "{error}"
    );
}
