//! Parity with AG-FAS's released code: `fixtures/README.md` has the cases.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use fas_agnet::{CueEncoder, CueEncoderConfig, Vit, VitConfig, standardise_cue};
use fas_classify::{SsdgHead, SsdgHeadConfig};
use fas_testkit::{Case, ParamSite, Parity, WeightSource, checkpoint};
use safetensors::tensor::{Dtype, TensorView};

type CaseResult<T> = Result<T, Box<dyn Error>>;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn cue_standardisation() {
    Parity::discover(HERE, &["agnet_cue_standardise"]).run(|case| {
        let device = Device::default();
        let image = case.input_tensor::<4>("image", &device)?;
        let despoofed = case.input_tensor::<4>("reconstruction", &device)?;
        case.check("cue", &standardise_cue(image - despoofed).into_data());
        Ok(())
    });
}

/// The reference name of a parameter of the cue encoder.
fn torchvision_name(name: &str) -> String {
    let name = name.trim_start_matches("ResNet.");
    let name = match name.strip_prefix("stages.") {
        Some(rest) => {
            let (stage, rest) = rest.split_once('.').expect("a stage has blocks");
            let stage: usize = stage.parse().expect("stages are numbered");
            format!("layer{}.{rest}", stage + 1)
        }
        None => name.to_owned(),
    };
    let name = name
        .replace("downsample.conv", "downsample.0")
        .replace("downsample.bn", "downsample.1");
    format!("cue.{name}")
}

#[test]
fn cue_encoder() {
    Parity::discover(HERE, &["agnet_cue_encoder"]).run(|case| {
        let device = Device::default();
        let encoder: CueEncoder = case
            .load(CueEncoderConfig::resnet18().init(&device), |site| {
                Some(site.torch().renamed(torchvision_name))
            })?;
        let image = case.input_tensor::<4>("image", &device)?;
        let noise = case.input_tensor::<4>("rec_noise", &device)?;
        let despoofed = image.clone() * 0.8 + noise * 0.3;
        let cue = standardise_cue(image - despoofed);
        case.check("cue_ckpt", &checkpoint(&cue.to_data()));
        let mut taps: Vec<(String, TensorData)> = Vec::new();
        let tokens = encoder.forward_observed(cue, &mut |name, map| {
            if name.starts_with("layer") {
                taps.push((format!("tap.{name}"), checkpoint(&map.to_data())));
            }
        });
        for (name, tap) in taps {
            case.check(&name, &tap);
        }
        case.check("tokens", &tokens.into_data());
        Ok(())
    });
}

fn vit_config(case: &Case) -> CaseResult<VitConfig> {
    Ok(VitConfig::base()
        .with_image_size(case.get("image_size")?)
        .with_patch_size(case.get("patch_size")?)
        .with_width(case.get("hidden_size")?)
        .with_depth(case.get("num_hidden_layers")?)
        .with_num_heads(case.get("num_attention_heads")?)
        .with_mlp_width(case.get("intermediate_size")?)
        .with_layer_norm_epsilon(case.get("layer_norm_eps")?)
        .with_cue_width(Some(case.get("cue_dim")?)))
}

/// The transformer under SSDG's head.
#[derive(Module, Debug)]
struct Detector {
    vit: Vit,
    head: SsdgHead,
}

/// Where the reference keeps one of our parameters.
fn reference(site: &ParamSite) -> WeightSource {
    let name = site.path.as_str();
    if let Some(field) = name.strip_prefix("vit.patch_embedding.") {
        let name = format!("vit.embeddings.patch_embeddings.projection.{field}");
        return WeightSource::new(name);
    }
    match name {
        "vit.class_token" => return WeightSource::new("vit.embeddings.cls_token"),
        "vit.positions" => return WeightSource::new("vit.embeddings.position_embeddings"),
        _ => {}
    }
    site.torch().renamed(|name| {
        [
            ("vit.blocks.", "vit.encoder.layer."),
            ("norm_attention", "layernorm_before"),
            ("norm_mlp", "layernorm_after"),
            ("mlp_in", "intermediate.dense"),
            ("mlp_out", "output.dense"),
            ("cue.norm", "ln_cross_attn"),
            ("cue.attention.output", "crossattention.dense"),
            ("cue.attention", "crossattention"),
            (".attention.output", ".attention.output.dense"),
            (".attention.query", ".attention.attention.query"),
            (".attention.key", ".attention.attention.key"),
            (".attention.value", ".attention.attention.value"),
            ("vit.norm", "vit.layernorm"),
            ("head.bottleneck.", "embedder.fc."),
            ("head.class_", "classifier."),
        ]
        .iter()
        .fold(name.to_owned(), |name, (ours, theirs)| {
            name.replace(ours, theirs)
        })
    })
}

#[test]
fn transformer_with_cue() {
    Parity::discover(HERE, &["agnet_vit_cross"]).run(|case| {
        let device = Device::default().autodiff();
        let embedding: usize = case.get("emb_dim")?;
        let config = vit_config(case)?;
        let detector = Detector {
            vit: config.init(&device),
            head: SsdgHeadConfig::agfas()
                .with_embedding_length(embedding)
                .init(config.width, 2, &device),
        };
        let detector = case.load(detector, |site| Some(reference(site)))?;
        let with_cue: bool = case.get("with_cue")?;
        let image = case.input_tensor::<4>("image", &device)?.require_grad();
        let cue = case.input_tensor::<3>("cue", &device)?.require_grad();
        let mut taps = Vec::new();
        let tokens = detector.vit.tokens_observed(
            image.clone(),
            with_cue.then(|| cue.clone()),
            &mut |tokens| taps.push(tokens.to_data()),
        );
        for (index, tap) in taps.iter().enumerate() {
            case.check(&format!("tap.hidden{index}"), tap);
        }
        case.check("last_hidden_state", &tokens.to_data());
        let class_token: Tensor<2> = tokens.narrow(1, 0, 1).squeeze_dim(1);
        let head = detector.head.renormalised();
        case.check("feature", &head.bottleneck(class_token.clone()).to_data());
        let embedding = head.embedding(class_token, None);
        case.check("embedding", &embedding.to_data());
        let name = "classifier_weight_normalised";
        case.check(name, &head.class_weight().to_data());
        let logits = head.logits(embedding);
        case.check("logits", &logits.to_data());
        let score: Tensor<1> = softmax(logits.clone(), 1).narrow(1, 1, 1).squeeze_dim(1);
        case.check("score_live", &score.to_data());
        let weights = case.input_tensor::<2>("loss_weight", &device)?;
        let gradients = (logits * weights).sum().backward();
        case.check(
            "grad.image",
            &image.grad(&gradients).ok_or("image")?.into_data(),
        );
        if with_cue {
            case.check("grad.cue", &cue.grad(&gradients).ok_or("cue")?.into_data());
        }
        Ok(())
    });
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The transformer of a case under the names of transformers, with the `vit.` of its heads' models.
fn transformers(case: &Case) -> CaseResult<Tensors> {
    let mut tensors = Tensors::new();
    for name in case.weight_names() {
        let data = case.weight(name)?;
        let values = data.iter::<f32>().collect();
        tensors.insert(name.to_owned(), (data.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// The same in timm's names, without cross-attention.
fn timm(theirs: &Tensors) -> Tensors {
    let mut tensors = Tensors::new();
    for (name, (shape, values)) in theirs {
        let Some(name) = name.strip_prefix("vit.") else {
            continue;
        };
        if name.contains("crossattention") || name.contains("ln_cross_attn") {
            continue;
        }
        let (name, tensor) = match name.split_once("attention.attention.query") {
            Some((layer, leaf)) => {
                let joined = ["query", "key", "value"].map(|part| {
                    theirs[&format!("vit.{layer}attention.attention.{part}{leaf}")]
                        .1
                        .clone()
                });
                let mut shape = shape.clone();
                shape[0] *= 3;
                (format!("{layer}attn.qkv{leaf}"), (shape, joined.concat()))
            }
            None if name.contains("attention.attention") => continue,
            None => (name.to_owned(), (shape.clone(), values.clone())),
        };
        let name = [
            ("embeddings.cls_token", "cls_token"),
            ("embeddings.position_embeddings", "pos_embed"),
            ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
            ("encoder.layer.", "blocks."),
            ("attention.output.dense", "attn.proj"),
            ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
            ("layernorm", "norm"),
        ]
        .iter()
        .fold(name, |name, (from, to)| name.replace(from, to));
        tensors.insert(name, tensor);
    }
    tensors.insert("head.weight".to_owned(), (vec![1, 2], vec![0.0; 2]));
    tensors
}

fn write(tensors: &Tensors, path: &Path) -> CaseResult<()> {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = tensors.iter().map(|(name, (shape, _))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).expect("shapes fit");
        (name, view)
    });
    Ok(std::fs::write(path, safetensors::serialize(views, None)?)?)
}

fn output_names(case: &Case) -> Vec<String> {
    case.output_names().into_iter().map(str::to_owned).collect()
}

#[test]
fn pretrained_weights_of_timm_and_transformers() {
    Parity::discover(HERE, &["agnet_vit_cross"]).run(|case| {
        for name in output_names(case) {
            if name != "last_hidden_state" {
                case.waive(&name, "checked by transformer_with_cue");
            }
        }
        let device = Device::default();
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vit.safetensors");
        let image = case.input_tensor::<4>("image", &device)?;
        let cue = case.input_tensor::<3>("cue", &device)?;
        let with_cue: bool = case.get("with_cue")?;
        let theirs = transformers(case)?;
        let network = || -> CaseResult<Vit> { Ok(vit_config(case)?.init(&device)) };

        write(&theirs, &path)?;
        let loaded = network()?.with_pretrained(&path)?;
        let tokens = loaded.tokens(image.clone(), with_cue.then(|| cue.clone()));
        // Without its cross-attention the cue has no say, as at the start of training.
        let plain = loaded.tokens(image.clone(), None);

        write(&timm(&theirs), &path)?;
        let from_timm = network()?.with_pretrained(&path)?.tokens(image, Some(cue));
        assert_eq!(from_timm.into_data(), plain.into_data());

        let mut broken = theirs.clone();
        broken.remove("vit.encoder.layer.0.intermediate.dense.bias");
        broken.insert(
            "vit.encoder.layer.9.surplus".to_owned(),
            (vec![1], vec![0.0]),
        );
        if let Some((shape, _)) = broken.get_mut("vit.layernorm.bias") {
            *shape = vec![8, 8];
        }
        write(&broken, &path)?;
        let error = network()?.with_pretrained(&path).unwrap_err().to_string();
        for part in [
            "missing: [\"vit.encoder.layer.0.intermediate.dense.bias\"]",
            "unused: [\"vit.encoder.layer.9.surplus\"]",
            "misshaped: [\"vit.layernorm.bias: expected [64] for norm.beta, found [8, 8]\"]",
        ] {
            assert!(error.contains(part), "{error}");
        }
        broken.retain(|name, _| !name.contains("projection"));
        write(&broken, &path)?;
        let error = network()?.with_pretrained(&path).unwrap_err().to_string();
        assert!(error.contains("convert the checkpoint"), "{error}");

        case.check("last_hidden_state", &tokens.into_data());
        Ok(())
    });
}
