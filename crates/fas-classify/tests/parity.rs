//! Parity with the reference implementations: `fixtures/README.md` has the cases.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor, TensorData};
use fas_classify::loss::{RelativeQualityLossConfig, relative_quality};
use fas_classify::{ResNet, ResNetConfig};
use fas_testkit::{Parity, checkpoint};

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
        let image = case.input_tensor::<4>("image", &device)?;
        let low = case.input_tensor::<4>("image_low", &device)?;
        let [batch, channels, height, width] = image.dims();
        let [_, _, rows, columns] = low.dims();
        let low = low
            .reshape([batch, channels, rows, 1, columns, 1])
            .expand([
                batch,
                channels,
                rows,
                height / rows,
                columns,
                width / columns,
            ])
            .reshape([batch, channels, height, width]);
        let mut taps: Vec<(String, TensorData)> = Vec::new();
        let features = model
            .trunk
            .forward_observed(image * 0.5 + low * 0.5, &mut |name, map| {
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
