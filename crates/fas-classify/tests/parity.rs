//! Parity with the reference implementations: `fixtures/README.md` has the cases.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor, TensorData};
use fas_classify::loss::{
    AsymmetricTripletLossConfig, RelativeQualityLossConfig, SingleSideAdversarialConfig,
    cross_entropy, relative_quality, ssdg_embedding,
};
use fas_classify::{MobileVit, MobileVitConfig, ResNet, ResNetConfig, normalise_across_classes};
use fas_testkit::{Case, FixtureError, Parity, checkpoint};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Module, Debug)]
struct ResNet18 {
    trunk: ResNet,
    fc: burn::nn::Linear,
}

/// torchvision's name of one of our parameters.
fn torchvision_name(name: &str) -> String {
    let name = name.trim_start_matches("trunk.");
    let name = match name.strip_prefix("stages.") {
        Some(rest) => {
            let (stage, rest) = rest.split_once('.').expect("a stage has blocks");
            let stage: usize = stage.parse().expect("stages are numbered");
            format!("layer{}.{rest}", stage + 1)
        }
        None => name.to_owned(),
    };
    name.replace("downsample.conv", "downsample.0")
        .replace("downsample.bn", "downsample.1")
}

/// Half the image, half its low-resolution companion, enlarged by repetition.
fn network_input(case: &Case, device: &Device) -> Result<Tensor<4>, FixtureError> {
    let image = case.input_tensor::<4>("image", device)?;
    let low = case.input_tensor::<4>("image_low", device)?;
    let [batch, channels, height, width] = image.dims();
    let [_, _, rows, columns] = low.dims();
    let (down, across) = (height / rows, width / columns);
    let low = low
        .reshape([batch, channels, rows, 1, columns, 1])
        .expand([batch, channels, rows, down, columns, across])
        .reshape([batch, channels, height, width]);
    Ok(image * 0.5 + low * 0.5)
}

#[test]
fn resnet18_of_torchvision() {
    Parity::discover(HERE, &["classifier_resnet18"]).run(|case| {
        let device = Device::default();
        let config = ResNetConfig::resnet18();
        let model = ResNet18 {
            fc: LinearConfig::new(config.feature_length(), case.get("classes")?).init(&device),
            trunk: config.init(&device),
        };
        let model = case.load(model, |site| Some(site.torch().renamed(torchvision_name)))?;
        let images = network_input(case, &device)?;
        let mut taps: Vec<(String, TensorData)> = Vec::new();
        let features = model.trunk.forward_observed(images, &mut |name, map| {
            taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
        });
        for (name, tap) in taps {
            case.check(&name, &tap);
        }
        case.check("tap.avgpool", &checkpoint(&features.to_data()));
        case.check("logits", &model.fc.forward(features).into_data());
        Ok(())
    });
}

#[test]
fn relative_quality_loss() {
    Parity::discover(HERE, &["rq_loss"]).run(|case| {
        let device = Device::default().autodiff();
        let config = RelativeQualityLossConfig::new()
            .with_margin_bona_fide(case.get("s_live")?)
            .with_margin_attack(case.get("s_spoof")?)
            .with_scale(case.get("m")?);
        let features = case.input_tensor::<2>("features", &device)?.require_grad();
        let weight = case
            .input_tensor::<2>("class_weight", &device)?
            .require_grad();
        let classes: Vec<usize> = case
            .input("labels")?
            .iter::<i64>()
            .map(|class| class as usize)
            .collect();
        let live: Vec<bool> = case
            .input("live_mask")?
            .iter::<f64>()
            .map(|flag| flag > 0.5)
            .collect();
        let scores: Vec<Option<f64>> = case.input("brisque")?.iter::<f64>().map(Some).collect();
        let count = classes.len();

        let column = |values: Vec<f64>| TensorData::new(values, [count]);
        let terms = relative_quality(&scores);
        case.check("b_norm", &column(terms.normalised.clone()));
        case.check("b_rq", &column(terms.relative.clone()));
        let loss = config.init();
        let (psi, omega) = loss.margins(&live, &terms.relative);
        case.check("psi", &column(psi));
        case.check("omega", &column(omega));

        let unit = |rows: Tensor<2>| rows.clone() / rows.square().sum_dim(1).sqrt();
        let cosines = unit(features.clone()).matmul(unit(weight.clone()).transpose());
        case.check("cos", &cosines.to_data());
        let logits = loss.logits(cosines.clone(), &classes, &live, &scores);
        case.check("logits", &logits.to_data());
        let rows: Vec<f64> = logits.to_data().iter::<f64>().collect();
        let width = logits.dims()[1];
        let target: Vec<f64> = classes
            .iter()
            .enumerate()
            .map(|(row, &class)| rows[row * width + class] / config.scale)
            .collect();
        case.check("g_target", &column(target));
        let per_sample = loss.forward(cosines, &classes, &live, &scores);
        case.check("loss_per_sample", &per_sample.to_data());
        let mean = per_sample.mean();
        case.check("loss", &mean.to_data());
        let gradients = mean.backward();
        for (name, tensor) in [("grad.features", &features), ("grad.class_weight", &weight)] {
            case.check(name, &tensor.grad(&gradients).ok_or(name)?.into_data());
        }
        Ok(())
    });
}

#[derive(Module, Debug)]
struct MobileVitWithHead {
    trunk: MobileVit,
    fc: burn::nn::Linear,
}

/// timm's name of one of our parameters.
fn timm_name(name: &str) -> String {
    if name.starts_with("fc.") {
        return format!("head.{name}");
    }
    let name = name.trim_start_matches("trunk.");
    // Every stage with a MobileViT block has one residual before it.
    name.replace(".residuals.", ".").replace(".block.", ".1.")
}

#[test]
fn mobile_vit_s_of_timm() {
    Parity::discover(HERE, &["classifier_mobilevit_s"]).run(|case| {
        let device = Device::default();
        let config = MobileVitConfig::s();
        let model = MobileVitWithHead {
            fc: LinearConfig::new(config.feature_length, case.get("classes")?).init(&device),
            trunk: config.init(&device),
        };
        let model = case.load(model, |site| Some(site.torch().renamed(timm_name)))?;
        let images = network_input(case, &device)?;
        let mut taps: Vec<(String, TensorData)> = Vec::new();
        let features = model.trunk.forward_observed(images, &mut |name, map| {
            taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
        });
        for (name, tap) in taps {
            case.check(&name, &tap);
        }
        case.check("logits", &model.fc.forward(features).into_data());
        Ok(())
    });
}

/// Indices of an input.
fn indices(case: &Case, name: &str) -> Result<Vec<usize>, FixtureError> {
    let values = case.input(name)?;
    Ok(values.iter::<i64>().map(|value| value as usize).collect())
}

fn one(value: f64) -> TensorData {
    TensorData::new(vec![value], [1])
}

#[test]
fn ssdg_embedding_and_reversal_schedule() {
    Parity::discover(HERE, &["ssdg_norm_grl"]).run(|case| {
        let device = Device::default().autodiff();
        let features = case.input_tensor::<2>("feature", &device)?.require_grad();
        let weight = case.input_tensor::<2>("loss_weight", &device)?;
        let embedding = ssdg_embedding(features.clone());
        case.check("embedding", &embedding.to_data());
        let norm = embedding.clone().square().sum_dim(1).sqrt();
        let rows = norm.dims()[0];
        case.check("embedding_norm", &norm.reshape([rows]).to_data());
        let gradients = (embedding * weight).sum().backward();
        let gradient = features.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.feature", &gradient.into_data());
        let zero = Tensor::<2>::zeros([1, features.dims()[1]], &device);
        case.check("zero_embedding", &ssdg_embedding(zero).to_data());
        let config = SingleSideAdversarialConfig::new()
            .with_alpha(case.get("grl_alpha")?)
            .with_rise_steps(case.get("grl_max_iter")?);
        let steps = indices(case, "grl_iterations")?;
        let coefficients: Vec<f64> = steps.iter().map(|&k| config.coefficient(k)).collect();
        let count = coefficients.len();
        case.check("grl_coefficient", &TensorData::new(coefficients, [count]));
        Ok(())
    });
}

#[test]
fn ssdg_asymmetric_triplet() {
    Parity::discover(HERE, &["ssdg_triplet"]).run(|case| {
        let device = Device::default().autodiff();
        let config = AsymmetricTripletLossConfig::new().with_margin(case.get("margin")?);
        let labels = indices(case, "labels")?;
        let features = case.input_tensor::<2>("feature", &device)?.require_grad();
        let embedding = ssdg_embedding(features.clone());
        case.check("embedding", &embedding.to_data());
        let output = config.init().forward(embedding, &labels);
        case.check("loss", &output.loss.to_data());
        case.check("n_valid", &one(output.num_valid as f64));
        case.check("n_active", &one(output.num_active as f64));
        let gradients = output.loss.backward();
        let gradient = features.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.feature", &gradient.into_data());

        let embedding = ssdg_embedding(features.inner());
        let embedding = Tensor::<2>::from_inner(embedding).require_grad();
        let loss = config.init().forward(embedding.clone(), &labels).loss;
        let gradient = embedding.grad(&loss.backward()).ok_or("no gradient")?;
        case.check("grad.embedding", &gradient.into_data());
        Ok(())
    });
}

#[test]
fn ssdg_single_side_adversarial() {
    Parity::discover(HERE, &["ssdg_adversarial"]).run(|case| {
        let device = Device::default().autodiff();
        let features = case.input_tensor::<2>("feature", &device)?.require_grad();
        let domains = indices(case, "domain")?;
        let config = SingleSideAdversarialConfig::new().with_hidden(case.get("hidden")?);
        let discriminator = config.init(case.get("dim")?, 3, &device);
        let discriminator = case.load(discriminator, |site| Some(site.torch()))?;
        let logits = discriminator.forward(features.clone(), None);
        case.check("logits", &logits.to_data());
        let coefficient = config.coefficient(case.get("iteration")?);
        let live = vec![true; domains.len()];
        let loss = discriminator
            .loss(features.clone(), &live, &domains, coefficient, None)
            .ok_or("bona fide samples have a loss")?;
        case.check("loss", &loss.to_data());
        let gradients = loss.backward();
        let gradient = features.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.feature", &gradient.into_data());
        for (name, layer) in discriminator.layers() {
            let weight = layer.weight.val().grad(&gradients).ok_or("no gradient")?;
            case.check(
                &format!("grad.{name}.weight"),
                &weight.transpose().into_data(),
            );
            let bias = layer.bias.as_ref().ok_or("no bias")?.val();
            let bias = bias.grad(&gradients).ok_or("no gradient")?;
            case.check(&format!("grad.{name}.bias"), &bias.into_data());
        }
        Ok(())
    });
}

#[test]
fn ssdg_total() {
    Parity::discover(HERE, &["ssdg_total"]).run(|case| {
        let device = Device::default().autodiff();
        let features = case.input_tensor::<2>("feature", &device)?.require_grad();
        let raw = case.input_tensor::<2>("classifier_weight", &device)?;
        let weight = normalise_across_classes(raw).detach().require_grad();
        case.check("classifier_weight_normalised", &weight.to_data());
        let bias = case
            .input_tensor::<1>("classifier_bias", &device)?
            .require_grad();
        let (classes, domains) = (indices(case, "labels_live")?, indices(case, "domain")?);
        let live: Vec<bool> = classes.iter().map(|&class| class == 1).collect();
        let embedding = ssdg_embedding(features.clone());
        case.check("embedding", &embedding.to_data());
        let logits =
            embedding.clone().matmul(weight.clone().transpose()) + bias.clone().unsqueeze::<2>();
        case.check("logits", &logits.to_data());
        let ce = cross_entropy(logits, &classes).mean();
        case.check("ce", &ce.to_data());

        let triplet = AsymmetricTripletLossConfig::new().with_weight(case.get("lambda_triplet")?);
        let labels = fas_classify::loss::AsymmetricTripletLoss::labels(&live, &domains);
        let triplet_loss = triplet.init().forward(embedding.clone(), &labels).loss;
        case.check("triplet", &triplet_loss.to_data());

        // This case has a linear domain head and no reversal.
        let head = case.input_tensor::<2>("disc_weight", &device)?;
        let rows: Vec<usize> = (0..live.len()).filter(|&row| live[row]).collect();
        let of_live: Vec<usize> = rows.iter().map(|&row| domains[row]).collect();
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let rows = Tensor::from_data(&rows[..], &device);
        let adversarial =
            cross_entropy(embedding.select(0, rows).matmul(head.transpose()), &of_live).mean();
        case.check("adversarial", &adversarial.to_data());
        let weight_ad: f64 = case.get("lambda_ad")?;
        let total = ce + triplet_loss * triplet.weight + adversarial * weight_ad;
        case.check("total", &total.to_data());
        let gradients = total.backward();
        let gradient = features.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.feature", &gradient.into_data());
        let gradient = weight.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.classifier_weight", &gradient.into_data());
        let gradient = bias.grad(&gradients).ok_or("no gradient")?;
        case.check("grad.classifier_bias", &gradient.into_data());
        Ok(())
    });
}
