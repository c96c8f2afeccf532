//! Parity of the other cue sources with their released codes: `fixtures/README.md` has the cases.

use std::cell::RefCell;

use burn::tensor::{Device, Int, Tensor, TensorData, s};
use fas_dfg::baseline::{
    AnoDdpm, AnoDdpmConfig, AnomalySampler, DeepSvddConfig, MemorySimilarity, address_memory,
    addressing_entropy,
};
use fas_diffusion::NoiseScheduleConfig;
use fas_testkit::Parity;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn memory_of_memae() {
    Parity::discover(HERE, &["memae_memory"]).run(|case| {
        let device = Device::default().autodiff();
        assert_eq!(case.get::<String>("similarity")?, "dot");
        let codes = case.input_tensor::<4>("z", &device)?.require_grad();
        let memory = case.input_tensor::<2>("memory", &device)?.require_grad();
        let weight = case.input_tensor::<4>("loss_weight", &device)?;
        let found = address_memory(
            codes.clone(),
            memory.clone(),
            MemorySimilarity::DotProduct,
            case.get("shrink")?,
        );
        case.check("y", &found.output.to_data());
        case.check("weights_softmax", &found.softmax.to_data());
        case.check("weights", &found.weights.to_data());
        let entropy = addressing_entropy(found.weights);
        case.check("entropy", &entropy.to_data());
        let entropy_weight: f64 = case.get("entropy_weight")?;
        let gradients = ((found.output * weight).sum() + entropy * entropy_weight).backward();
        case.check("grad.z", &codes.grad(&gradients).ok_or("z")?.into_data());
        case.check(
            "grad.memory",
            &memory.grad(&gradients).ok_or("memory")?.into_data(),
        );
        Ok(())
    });
}

#[test]
fn autoencoder_of_deep_svdd() {
    Parity::discover(HERE, &["deep_svdd_autoencoder"]).run(|case| {
        let device = Device::default();
        let config = DeepSvddConfig::new()
            .with_image_size(case.get("size")?)
            .with_widths(case.get("widths")?)
            .with_representation(case.get("rep_dim")?);
        let network = case.load(config.init(&device), |site| Some(site.torch()))?;
        let images = case.input_tensor::<4>("image", &device)?;
        let [batch_size, ..] = images.dims();
        let representation = network.representation(images.clone());
        case.check("representation", &representation.to_data());
        let output = network.decode(representation);
        case.check("reconstruction", &output.to_data());
        let score: Tensor<1> = (output - images)
            .square()
            .sum_dims(&[1, 2, 3])
            .reshape([batch_size]);
        case.check("score", &score.to_data());
        case.check("loss", &score.mean().into_data());
        Ok(())
    });
}

#[test]
fn procedure_of_ano_ddpm() {
    Parity::discover(HERE, &["anoddpm"]).run(|case| {
        let device = Device::default();
        let schedule = NoiseScheduleConfig::new()
            .with_num_timesteps(case.get("T")?)
            .with_beta_start(case.get("beta_start")?)
            .with_beta_end(case.get("beta_end")?);
        let config = AnoDdpmConfig::paper()
            .with_schedule(schedule)
            .with_noise_steps(case.get("noise_steps")?)
            .with_sampler(AnomalySampler::Ancestral);
        let timesteps: Vec<usize> = case.get("timesteps")?;
        let images = case.input_tensor::<4>("x0", &device)?;
        let start = case.input_tensor::<4>("start_noise", &device)?;
        let predicted = case.input_tensor::<5>("eps", &device)?;
        let fresh = case.input_tensor::<5>("z", &device)?;
        let at = |tensors: &Tensor<5>, index: usize| -> Tensor<4> {
            tensors
                .clone()
                .slice(s![index..index + 1, .., .., .., ..])
                .squeeze_dim(0)
        };
        // What the network is shown at each step is the state after the step before. A case that
        // stops early has no noise for the steps that follow; what they do is not looked at.
        let shown: RefCell<Vec<TensorData>> = RefCell::default();
        let network = |x: Tensor<4>, _: Tensor<1, Int>| {
            let step = shown.borrow().len();
            shown.borrow_mut().push(x.to_data());
            let given = step < timesteps.len();
            let base = if given {
                at(&predicted, step)
            } else {
                x.zeros_like()
            };
            base + x * 0.2
        };
        let noise = |t: usize| match timesteps.iter().position(|&step| step == t) {
            Some(step) => at(&fresh, step),
            None => images.zeros_like(),
        };
        let result = AnoDdpm::repair(&config, images.clone(), start, network, noise);
        let mut states = shown.into_inner();
        states.push(result.into_data());
        case.check("x_start", &states[0]);
        for name in [
            "x_after_step0",
            "x_after_step1",
            "x_after_step3",
            "x_after_step5",
        ] {
            let step: usize = name[name.len() - 1..].parse()?;
            if case.output_names().contains(&name) {
                case.check(name, &states[step + 1]);
            }
        }
        Ok(())
    });
}
