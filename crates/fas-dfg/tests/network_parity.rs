//! Parity of the generator's networks with their references: `fixtures/README.md` has the cases.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_dfg::{
    AutoencoderKlConfig, DespoofingConfig, DespoofingGrid, DespoofingStart, FinalLevel,
    IResNetConfig, IdentityConditionConfig, LatentUNetConfig,
};
use fas_diffusion::{DdimConfig, NoiseScheduleConfig, ddim_sample};
use fas_testkit::{Case, ParamSite, Parity, WeightSource, checkpoint};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Names as in diffusers, but for the feed-forward layers, which it numbers.
fn diffusers(site: &ParamSite) -> Option<WeightSource> {
    let source = site.torch().renamed(|name| {
        name.replace(".ff.proj.", ".ff.net.0.proj.")
            .replace(".ff.out.", ".ff.net.2.")
    });
    Some(source)
}

#[test]
fn autoencoder_kl() {
    Parity::discover(HERE, &["autoencoder_kl"]).run(|case| {
        let device = Device::default();
        let scaling: f64 = case.get("scaling")?;
        let config = AutoencoderKlConfig::new(case.get("block_out_channels")?)
            .with_latent_channels(case.get("latent_channels")?)
            .with_layers_per_block(case.get("layers_per_block")?)
            .with_num_groups(case.get("norm_num_groups")?)
            .with_scaling_factor(scaling);
        let net = case.load(config.init(&device), diffusers)?;
        assert_eq!(net.num_params(), case.get::<usize>("n_params")?);
        let mut taps = Vec::new();
        let image = case.input_tensor::<4>("image", &device)?;
        let posterior = net.encode_observed(image, |name, map| {
            taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
        });
        case.check("mean", &posterior.mean.to_data());
        case.check("logvar", &posterior.log_variance.to_data());
        let noise = case.input_tensor::<4>("posterior_noise", &device)?;
        let scaled = posterior.sample(noise) * scaling;
        case.check("latent_scaled", &scaled.to_data());
        let latent = case.input_tensor::<4>("latent", &device)?;
        let decoded = net.decode_observed(latent, |name, map| {
            taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
        });
        case.check("decoded", &decoded.into_data());
        case.check("roundtrip", &net.decode(scaled / scaling).into_data());
        for (name, values) in taps {
            case.check(&name, &values);
        }
        Ok(())
    });
}

#[test]
fn identity_tokens() {
    Parity::discover(HERE, &["iresnet_identity"]).run(|case| {
        let device = Device::default();
        assert_eq!(case.get::<usize>("depth")?, 18);
        let source = |site: &ParamSite| {
            let source = site.torch().renamed(|name| {
                name.replace("prelu.alpha", "prelu.weight")
                    .replace(".downsample.conv.", ".downsample.0.")
                    .replace(".downsample.norm.", ".downsample.1.")
            });
            Some(source)
        };
        let config = IResNetConfig::iresnet18().truncated();
        let net = case.load(config.init(&device), source)?.freeze();
        let image = case.input_tensor::<4>("image", &device)?;
        let mut taps = Vec::new();
        let map = net.identity_map_observed(image, |name, map| {
            taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
        });
        case.check("feature", &map.to_data());
        for (name, values) in taps {
            case.check(&name, &values);
        }
        let [batch_size, channels, height, width] = map.dims();
        let tokens = map
            .reshape([batch_size, channels, height * width])
            .swap_dims(1, 2);
        let condition = IdentityConditionConfig::new(512, 768, 1280).init(&device);
        let context = condition.forward(tokens, None).context;
        let every = |tensor: Tensor<3>, dim, step: i64| {
            let places = (0..tensor.dims()[dim] as i64).step_by(step as usize);
            let places: Vec<i64> = places.collect();
            tensor.select(dim, Tensor::from_data(&places[..], &device))
        };
        let slice = every(every(context, 1, 7), 2, 16);
        case.check("tokens_padded_slice", &slice.into_data());
        Ok(())
    });
}

#[test]
fn latent_unet() {
    Parity::discover(HERE, &["sd_unet"]).run(|case| {
        let device = Device::default();
        let blocks: Vec<String> = case.get("down_block_types")?;
        let config = LatentUNetConfig::new(
            case.get("block_out_channels")?,
            blocks
                .iter()
                .map(|name| name.contains("CrossAttn"))
                .collect(),
        )
        .with_latent_channels(case.get("in_channels")?)
        .with_layers_per_block(case.get("layers_per_block")?)
        .with_context_channels(case.get("cross_attention_dim")?)
        .with_heads(case.get("attention_head_dim")?)
        .with_num_groups(case.get("norm_num_groups")?);
        let net = case.load(config.init(&device), diffusers)?;
        assert_eq!(net.num_params(), case.get::<usize>("n_params")?);
        let tokens = case.input_tensor::<3>("context", &device)?;
        let condition = IdentityConditionConfig::new(
            case.get("context_used_channels")?,
            config.context_channels,
            config.embed_channels(),
        );
        let context = condition.init(&device).forward(tokens, None).context;
        let latent = case.input_tensor::<4>("latent", &device)?;
        let [batch_size, ..] = latent.dims();
        let t: i64 = case.get("t")?;
        let mut taps = Vec::new();
        let noise = net.forward_observed(
            latent,
            Tensor::from_data(vec![t; batch_size].as_slice(), &device),
            context.clone(),
            None,
            |name, map| taps.push((format!("tap.{name}"), checkpoint(&map.to_data()))),
        );
        case.check("eps", &noise.into_data());
        for (name, values) in taps {
            case.check(&name, &values);
        }
        let denoiser = |x, t| net.forward(x, t, context.clone());
        check_sampling(case, "ddim5", 5, &denoiser)?;
        check_sampling(case, "ddim50_first5", 50, &denoiser)
    });
}

/// The truncated DDIM run `name`, of whose states the case holds the first five.
fn check_sampling(
    case: &mut Case,
    name: &str,
    sampling_steps: usize,
    denoiser: &impl Fn(Tensor<4>, Tensor<1, burn::tensor::Int>) -> Tensor<4>,
) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::default();
    let schedule = NoiseScheduleConfig::latent_diffusion().init();
    let config = DespoofingConfig::released()
        .with_start(DespoofingStart::NoisedInput {
            start_step: case.get("start_t")?,
        })
        .with_sampling_steps(sampling_steps);
    assert_eq!(
        (config.grid, config.final_level),
        (DespoofingGrid::Leading, FinalLevel::FirstStep)
    );
    let steps = config.timesteps(&schedule);
    let expected: Vec<i64> = case.output(&format!("{name}.timesteps"))?.iter().collect();
    let listed: Vec<i64> = steps.iter().take(5).map(|&step| step as i64).collect();
    assert_eq!(listed, expected);
    case.check(
        &format!("{name}.timesteps"),
        &burn::tensor::TensorData::new(listed, [5]),
    );
    let clean = case.input_tensor::<4>("clean_latent", &device)?;
    let noise = case.input_tensor::<4>("start_noise", &device)?;
    let x = clean * schedule.signal_rate(steps[0]) + noise * schedule.noise_rate(steps[0]);
    case.check(&format!("{name}.start"), &x.to_data());
    // Five steps: the last one of the short run ends at the level of step 0, that of the long run at
    // its sixth step.
    let last = steps.get(5).map_or(0, |&step| step);
    let sampler = DdimConfig::new(steps[0])
        .with_clip(false)
        .with_final_alphas_cumprod(schedule.alphas_cumprod[last]);
    let mut states = Vec::new();
    ddim_sample(
        denoiser,
        &schedule,
        x,
        &steps[..5],
        &sampler,
        |_| unreachable!("deterministic"),
        |index, x| states.push((index, x.to_data())),
    );
    for (index, state) in states {
        case.check(&format!("{name}.step{index}"), &state);
    }
    Ok(())
}
