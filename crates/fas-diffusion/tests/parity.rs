//! Parity with the reference implementations: `fixtures/README.md` has the cases.

use std::error::Error;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use fas_diffusion::{
    BetaSchedule, DdimConfig, DdpmVariance, DiffusionProcess, GeneratorConfig, GeneratorNetworks,
    LevelChange, NoiseScheduleConfig, SpreadStatistic, StyleCondition, StyleFeatures, StyleFusion,
    StyleFusionConfig, StyleFusionForm, UNet, UNetConfig, ddim_sample, ddpm_step,
    discretised_gaussian_nll, fusion_reference, guide, guide_all_channels, hybrid_loss, normal_kl,
    style_encoder_reference, unet_reference,
};
use fas_testkit::{Case, ParamSite, Parity, WeightSource, checkpoint};
use fas_weights::ForeignTensor;

type CaseResult = Result<(), Box<dyn Error>>;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn scalar(tensor: Tensor<1>) -> TensorData {
    tensor.into_data()
}

/// A key map of the crate in the test kit's terms.
fn in_fixture(
    site: &ParamSite,
    key_map: impl Fn(&fas_weights::ParamSite) -> Option<ForeignTensor>,
) -> Option<WeightSource> {
    let foreign = key_map(&fas_weights::ParamSite {
        path: site.path.clone(),
        owner: site.owner.clone(),
        shape: site.shape.clone(),
    })?;
    let mut source = WeightSource::new(foreign.name());
    if let Some(rows) = foreign.own_rows() {
        source = source.rows(rows.clone());
    }
    if foreign.extra_dimensions() > 0 {
        source = source.squeezed();
    }
    Some(if foreign.is_transposed() {
        source.transposed()
    } else {
        source
    })
}

/// The reference name of one of our parameters.
fn reference(site: &ParamSite, released: bool) -> Option<WeightSource> {
    in_fixture(site, |site| unet_reference(site, released))
}

/// Gradients of every parameter, under its reference name and in its reference layout.
struct GradientCollector<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    owners: Vec<String>,
    released: bool,
    found: Vec<(String, TensorData)>,
    name: fn(&ParamSite, bool) -> Option<WeightSource>,
}

impl ModuleVisitor for GradientCollector<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        self.owners
            .push(container_type.trim_start_matches("Struct:").to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.owners.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let Some(gradient) = tensor.grad(self.gradients) else {
            return;
        };
        let site = ParamSite {
            path: self.path.join("."),
            owner: self.owners.last().cloned().unwrap_or_default(),
            shape: tensor.dims().to_vec(),
        };
        let Some(source) = (self.name)(&site, self.released) else {
            return;
        };
        let is_linear = site.owner == "Linear" && site.path.ends_with("weight");
        let gradient = if is_linear {
            gradient.transpose()
        } else {
            gradient
        };
        let gradient = gradient.into_data();
        let name = source.name().to_owned();
        match self.found.iter_mut().find(|(known, _)| *known == name) {
            // Keys and values are one tensor in the reference: keys first.
            Some((_, joint)) => *joint = stack_rows(joint, &gradient),
            None => self.found.push((name, gradient)),
        }
    }
}

fn stack_rows(first: &TensorData, second: &TensorData) -> TensorData {
    let values: Vec<f32> = first.iter::<f32>().chain(second.iter::<f32>()).collect();
    let mut shape = first.shape().to_vec();
    shape[0] += second.shape()[0];
    TensorData::new(values, shape)
}

fn gradients_by_name<M: Module>(
    module: &M,
    gradients: &Gradients,
    released: bool,
    name: fn(&ParamSite, bool) -> Option<WeightSource>,
) -> Vec<(String, TensorData)> {
    let mut collector = GradientCollector {
        gradients,
        path: Vec::new(),
        owners: Vec::new(),
        released,
        found: Vec::new(),
        name,
    };
    module.visit(&mut collector);
    collector.found
}

fn stfm_name(site: &ParamSite, released: bool) -> Option<WeightSource> {
    in_fixture(site, |site| {
        let parts: Vec<&str> = site.path.split('.').collect();
        fusion_reference(site, "", &parts[..parts.len() - 1], released)
    })
}

fn stfm(case: &mut Case, config: StyleFusionConfig, released: bool) -> CaseResult {
    let plain = Device::default();
    let fusion: StyleFusion = case.load(config.init(&plain), |site| stfm_name(site, released))?;
    let device = plain.autodiff();
    // BatchNorm of the released form is checked with its running statistics.
    let fusion = fusion.freeze().train();
    let fusion = if released { fusion } else { fusion.unfreeze() };
    let x = case.input_tensor::<4>("x", &device)?.require_grad();
    let cond = case.input_tensor::<4>("cond", &device)?.require_grad();
    let weight = case.input_tensor::<4>("loss_weight", &device)?;
    let y = fusion.forward(x.clone(), &fusion.style_tokens(cond.clone()));
    case.check("y", &y.to_data());
    let loss = (y * weight).sum();
    if case.output("loss").is_ok() {
        case.check("loss", &scalar(loss.clone().reshape([1])));
    }
    let gradients = loss.backward();
    for (name, tensor) in [("grad.x", &x), ("grad.cond", &cond)] {
        let gradient = tensor.grad(&gradients).ok_or(format!("no {name}"))?;
        case.check(name, &gradient.into_data());
    }
    for (name, gradient) in gradients_by_name(&fusion, &gradients, released, stfm_name) {
        let name = format!("grad.{name}");
        if case.output(&name).is_ok() {
            case.check(&name, &gradient);
        }
    }
    let taps: Vec<String> = case
        .output_names()
        .into_iter()
        .filter(|name| name.starts_with("tap."))
        .map(str::to_owned)
        .collect();
    for tap in taps {
        case.waive(
            &tap,
            "an intermediate result that `y` and all gradients depend on",
        );
    }
    Ok(())
}

#[test]
fn stfm_in_the_form_of_the_paper() {
    Parity::discover(HERE, &["stfm_paper"]).run(|case| {
        let spread = match case.get::<String>("var_mode")?.as_str() {
            "std_eps" => SpreadStatistic::StandardDeviation,
            _ => SpreadStatistic::Variance,
        };
        let config = StyleFusionConfig::paper(case.get("channels")?, case.get("height")?)
            .with_mean_patch(case.get("mean_patch")?)
            .with_spread_patch(case.get("var_patch")?)
            .with_spread(spread);
        stfm(case, config, false)
    });
}

#[test]
fn stfm_in_the_released_form() {
    Parity::discover(HERE, &["stfm_official"]).run(|case| {
        let config = StyleFusionConfig::released(case.get("channels")?, case.get("height")?)
            .with_mean_patch(case.get("mean_patch")?)
            .with_spread_patch(case.get("var_patch")?);
        stfm(case, config, true)
    });
}

fn unet_config(case: &Case, released: bool) -> Result<UNetConfig, Box<dyn Error>> {
    let base = if released {
        UNetConfig::released()
    } else {
        UNetConfig::paper()
    };
    let form = if released {
        StyleFusionForm::released()
    } else {
        StyleFusionForm::paper()
    };
    Ok(UNetConfig {
        image_size: case.get("image_size")?,
        ..base
            .with_model_channels(case.get("model_channels")?)
            .with_channel_mult(case.get("channel_mult")?)
            .with_num_res_blocks(case.get("num_res_blocks")?)
            .with_embed_channels(case.get("embed_channels")?)
            .with_out_channels(case.get("out_channels")?)
            .with_fusion_sizes(case.get("stfm_resolutions")?)
            .with_fusion_form(form)
            .with_mean_patch(case.get("mean_patch")?)
            .with_spread_patch(case.get("var_patch")?)
            .with_level_change(LevelChange::Residual)
            .with_dropout(0.0)
    })
}

fn unet(case: &mut Case, released: bool) -> CaseResult {
    let config = unet_config(case, released)?;
    let plain = Device::default();
    let network: UNet = case.load(config.init(&plain), |site| reference(site, released))?;
    // BatchNorm of the released form is checked with its running statistics: frozen.
    let network = network
        .freeze_group(ParamGroup::from_predicate("condition_norm"))
        .train();
    let device = plain.autodiff();
    let input = case.input_tensor::<4>("x", &device)?.require_grad();
    let timesteps = case.input_int_tensor::<1>("t", &device)?;
    let mut sizes: Vec<usize> = case.get("stfm_resolutions")?;
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let maps = sizes
        .iter()
        .map(|size| case.input_tensor::<4>(&format!("cond{size}"), &device))
        .collect::<Result<Vec<_>, _>>()?;
    let condition = network.condition(&StyleFeatures(maps));
    let (x_t, content) = (input.clone().narrow(1, 0, 3), input.clone().narrow(1, 3, 3));
    let mut taps: Vec<(String, TensorData)> = Vec::new();
    let y = network.forward_observed(x_t, content, timesteps, &condition, &mut |name, tensor| {
        taps.push((name.to_owned(), checkpoint(&tensor.to_data())));
    });
    for (name, tap) in taps {
        case.check(&format!("tap.{name}"), &tap);
    }
    case.check("y", &y.to_data());
    let weight = case.input_tensor::<4>("loss_weight", &device)?;
    let loss = (y * weight).sum();
    case.check("loss", &scalar(loss.clone().reshape([1])));
    let gradients = loss.backward();
    case.check(
        "grad.x",
        &input
            .grad(&gradients)
            .ok_or("no gradient of x")?
            .into_data(),
    );
    for (name, gradient) in gradients_by_name(&network, &gradients, released, reference) {
        let name = format!("grad_ckpt.{name}");
        if case.output(&name).is_ok() {
            let small = gradient.shape().iter().product::<usize>() < 66;
            let gradient = if small {
                gradient
            } else {
                checkpoint(&gradient)
            };
            case.check(&name, &gradient);
        }
    }
    let frozen: Vec<String> = case
        .output_names()
        .into_iter()
        .filter(|name| name.ends_with(".bn.weight") || name.ends_with(".bn.bias"))
        .map(str::to_owned)
        .collect();
    for name in frozen {
        case.waive(
            &name,
            "Burn's BatchNorm uses running statistics only where it is frozen",
        );
    }
    Ok(())
}

#[test]
fn small_unet_with_stfm_of_the_paper() {
    Parity::discover(
        HERE,
        &["difffas_unet_small_paper", "difffas_unet_small_paper_out3"],
    )
    .run(|case| unet(case, false));
}

#[test]
fn small_unet_with_released_stfm() {
    Parity::discover(HERE, &["difffas_unet_small_official"]).run(|case| unet(case, true));
}

/// The reference name of a parameter of the whole generator.
fn generator_name(site: &ParamSite) -> Option<WeightSource> {
    let inner = |path: &str| ParamSite {
        path: path.to_owned(),
        ..site.clone()
    };
    if let Some(path) = site.path.strip_prefix("unet.") {
        return reference(&inner(path), true);
    }
    let path = site.path.strip_prefix("style_encoder.")?;
    let source = in_fixture(&inner(path), style_encoder_reference)?;
    Some(source.renamed(|name| format!("style_encoder.{name}")))
}

/// Every `step`-th row and column of every `channel_step`-th channel.
fn sliced(map: &Tensor<4>, channel_step: usize, step: usize) -> TensorData {
    let [batch_size, channels, height, width] = map.dims();
    let values: Vec<f32> = map.to_data().iter::<f32>().collect();
    let mut kept = Vec::new();
    for plane in (0..batch_size * channels).filter(|plane| plane % channels % channel_step == 0) {
        for y in (0..height).step_by(step) {
            for x in (0..width).step_by(step) {
                kept.push(values[(plane * height + y) * width + x]);
            }
        }
    }
    let shape = [
        batch_size,
        channels.div_ceil(channel_step),
        height.div_ceil(step),
        width.div_ceil(step),
    ];
    TensorData::new(kept, shape)
}

/// 160 million procedural weights and one forward pass, with its style and without: some ten seconds
/// and 2.5 GB.
#[test]
fn whole_released_generator() {
    Parity::discover(HERE, &["difffas_unet_official"]).run(|case| {
        let device = Device::default();
        let config = GeneratorConfig::released(17);
        let networks: GeneratorNetworks =
            case.load(config.init(&device).networks().clone(), generator_name)?;
        let image = |name: &str| case.input_tensor::<4>(name, &device);
        let (x_t, live, style) = (image("x_t")?, image("live")?, image("style")?);
        let timesteps = case.input_int_tensor::<1>("t", &device)?;

        let encoder = &networks.style_encoder;
        case.check("enc.logits", &encoder.forward(style.clone()).into_data());
        let features = encoder.features(style.clone());
        for (size, channels, step) in [(32, 32, 4), (16, 32, 2), (8, 32, 1)] {
            let name = format!("enc.map{size}_slice");
            case.check(&name, &sliced(&features.of_size(size), channels, step));
        }

        let unet = &networks.unet;
        let styled = unet.condition(&features);
        let null = unet.condition(&encoder.features(style.zeros_like()));
        let mut taps: Vec<(String, TensorData)> = Vec::new();
        // Both halves of guidance in one pass, as in generation.
        let output = unet.forward_observed(
            x_t,
            live,
            timesteps,
            &StyleCondition::cat(&[&styled, &null]),
            &mut |name, tensor| {
                // Blocks after the last STFM are shown once a style.
                if taps.iter().all(|(shown, _)| shown != name) {
                    let first = tensor.clone().narrow(0, 0, 1);
                    taps.push((name.to_owned(), checkpoint(&first.into_data())));
                }
            },
        );
        for (name, tap) in taps {
            case.check(&format!("tap.{name}"), &tap);
        }
        let y = output.clone().narrow(0, 0, 1);
        case.check("y", &y.into_data());
        let null = output.narrow(0, 1, 1);
        case.check("y_null_slice", &sliced(&null, 1, 4));
        case.check("y_null_ckpt", &checkpoint(&null.into_data()));
        case.waive("tap.time_embed", "every block and `y` depend on it");
        Ok(())
    });
}

#[test]
fn schedule_tables() {
    Parity::discover(HERE, &["diffusion_schedule"]).run(|case| {
        let kind = match case.get::<String>("kind")?.as_str() {
            "linear" => BetaSchedule::Linear,
            _ => BetaSchedule::ScaledLinear,
        };
        let schedule = NoiseScheduleConfig::new()
            .with_kind(kind)
            .with_beta_start(case.get("beta_start")?)
            .with_beta_end(case.get("beta_end")?)
            .with_num_timesteps(case.get("T")?)
            .init();
        let abar = &schedule.alphas_cumprod;
        let map = |f: &dyn Fn(f64) -> f64| abar.iter().map(|&a| f(a)).collect::<Vec<f64>>();
        let tables = [
            ("betas", schedule.betas.clone()),
            ("alphas_cumprod", abar.clone()),
            ("alphas_cumprod_prev", schedule.alphas_cumprod_prev.clone()),
            ("posterior_variance", schedule.posterior_variance.clone()),
            (
                "posterior_log_variance_clipped",
                schedule.posterior_log_variance_clipped.clone(),
            ),
            (
                "posterior_mean_coef1",
                schedule.posterior_mean_coef1.clone(),
            ),
            (
                "posterior_mean_coef2",
                schedule.posterior_mean_coef2.clone(),
            ),
            ("sqrt_alphas_cumprod", map(&f64::sqrt)),
            ("sqrt_one_minus_alphas_cumprod", map(&|a| (1.0 - a).sqrt())),
            ("sqrt_recip_alphas_cumprod", map(&|a| (1.0 / a).sqrt())),
            (
                "sqrt_recipm1_alphas_cumprod",
                map(&|a| (1.0 / a - 1.0).sqrt()),
            ),
        ];
        for (name, values) in tables {
            let length = values.len();
            case.check(name, &TensorData::new(values, [length]));
        }
        Ok(())
    });
}

#[test]
fn steps_and_hybrid_loss() {
    Parity::discover(HERE, &["diffusion_steps"]).run(|case| {
        let device = Device::default();
        let process = DiffusionProcess::new(NoiseScheduleConfig::difffas().init(), &device);
        let input = |case: &Case, name: &str| case.input_tensor::<4>(name, &device);
        let t = case.input_int_tensor::<1>("t", &device)?;
        let (x0, noise) = (input(case, "x0")?, input(case, "noise")?);
        let (eps, v, z) = (
            input(case, "eps_pred")?,
            input(case, "v_pred")?,
            input(case, "z")?,
        );
        let batch = t.dims()[0];

        let x_t = process.q_sample(x0.clone(), &t, noise.clone());
        case.check("x_t", &x_t.to_data());
        let posterior_mean = process.q_posterior_mean(x0.clone(), x_t.clone(), &t);
        case.check("posterior_mean", &posterior_mean.to_data());
        let log_variance = process.posterior_log_variance(&t);
        let flat = |tensor: Tensor<4>| tensor.reshape([batch as i32]).into_data();
        case.check(
            "posterior_log_variance_clipped",
            &flat(log_variance.clone()),
        );
        let steps: Vec<i64> = t.to_data().iter::<i64>().collect();
        let variances: Vec<f64> = steps
            .iter()
            .map(|&step| process.schedule().posterior_variance[step as usize])
            .collect();
        case.check("posterior_variance", &TensorData::new(variances, [batch]));
        let implied = process.predict_x_start(x_t.clone(), &t, eps.clone());
        case.check("pred_x0_unclipped", &implied.to_data());
        let mean = process.q_posterior_mean(implied.clone().clamp(-1.0, 1.0), x_t.clone(), &t);
        case.check("model_mean_clipped", &mean.to_data());
        let learned = process.learned_log_variance(v.clone(), &t);
        case.check("model_log_variance", &learned.to_data());
        case.check("model_variance", &learned.clone().exp().into_data());
        let output = Tensor::cat(vec![eps.clone(), v.clone()], 1);
        let sample = ddpm_step(&process, output, x_t.clone(), &t, DdpmVariance::Learned, z);
        case.check("ancestral_sample", &sample.into_data());

        let bits = |nats: Tensor<4>| {
            (nats.mean_dims(&[1, 2, 3]).reshape([batch as i32]) / std::f64::consts::LN_2)
                .into_data()
        };
        let kl = normal_kl(posterior_mean, log_variance, mean.clone(), learned.clone());
        case.check("kl_bits", &bits(kl));
        let nll = discretised_gaussian_nll(x0.clone(), mean, learned);
        case.check("decoder_nll_bits", &bits(nll));

        let autodiff = device.autodiff();
        let lift = |tensor: &Tensor<4>| Tensor::from_data(tensor.to_data(), &autodiff);
        let (eps, v) = (lift(&eps).require_grad(), lift(&v).require_grad());
        let process = DiffusionProcess::new(process.schedule().clone(), &autodiff);
        let loss = hybrid_loss(
            &process,
            Tensor::cat(vec![eps.clone(), v.clone()], 1),
            lift(&x0),
            lift(&x_t),
            lift(&noise),
            &Tensor::<1, Int>::from_data(t.to_data(), &autodiff),
        );
        case.check("mse", &scalar(loss.mse.clone()));
        case.check("vb_bits", &loss.vb_bits.to_data());
        let total = loss.total();
        case.check("loss", &scalar(total.clone()));
        let gradients = total.backward();
        for (name, tensor) in [("grad.eps", &eps), ("grad.v", &v)] {
            case.check(name, &tensor.grad(&gradients).ok_or(name)?.into_data());
        }
        Ok(())
    });
}

#[test]
fn guidance() {
    Parity::discover(HERE, &["cfg_combine"]).run(|case| {
        let device = Device::default();
        let cond = case.input_tensor::<4>("cond", &device)?;
        let uncond = case.input_tensor::<4>("uncond", &device)?;
        for scale in case.get::<Vec<f64>>("gammas")? {
            let guided = guide(cond.clone(), uncond.clone(), scale, 3);
            case.check(&format!("combined_g{scale:.1}"), &guided.into_data());
            let released = guide_all_channels(cond.clone(), uncond.clone(), scale);
            case.check(&format!("released_all6_g{scale:.1}"), &released.into_data());
        }
        Ok(())
    });
}

#[test]
fn ddim_with_editing_start_and_guidance() {
    Parity::discover(HERE, &["ddim"]).run(|case| {
        let device = Device::default();
        let schedule = NoiseScheduleConfig::difffas().init();
        let timesteps: Vec<usize> = case.get("timesteps")?;
        let noise_index: usize = case.get("noise_index")?;
        let scale: f64 = case.get("guidance")?;
        let live = case.input_tensor::<4>("live", &device)?;
        let noise = case.input_tensor::<4>("noise", &device)?;
        let conditional = case.input_tensor::<5>("eps_cond", &device)?;
        let unconditional = case.input_tensor::<5>("eps_uncond", &device)?;
        let x = live * schedule.signal_rate(noise_index) + noise * schedule.noise_rate(noise_index);
        case.check("x_start", &x.to_data());
        let step = std::cell::Cell::new(0);
        let at =
            |table: &Tensor<5>, step: usize| table.clone().narrow(0, step, 1).squeeze_dim::<4>(0);
        let denoiser = |x: Tensor<4>, _| {
            let index = step.replace(step.get() + 1);
            let cond = at(&conditional, index) + x.clone() * 0.25;
            let uncond = at(&unconditional, index) - x * 0.125;
            guide(cond, uncond, scale, 3)
        };
        let config = DdimConfig::new(noise_index).with_clip(false);
        let mut states: Vec<(usize, TensorData)> = Vec::new();
        let result = ddim_sample(
            denoiser,
            &schedule,
            x,
            &timesteps,
            &config,
            |_| unreachable!("eta is 0"),
            |index, x| states.push((index, x.to_data())),
        );
        for (index, state) in states {
            let name = format!("x_after_step{index}");
            if case.output(&name).is_ok() {
                case.check(&name, &state);
            }
        }
        case.check("x_final", &result.into_data());
        Ok(())
    });
}
