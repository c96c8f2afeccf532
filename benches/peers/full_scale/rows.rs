//! Our side of each row: a network with the weights and inputs of the peer.

use std::error::Error;
use std::path::{Path, PathBuf};

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor};
use fas_agnet::VitConfig;
use fas_classify::{Backbone, BackboneConfig, MobileVitConfig, ResNetConfig};
use fas_dfg::{AutoencoderKlConfig, LatentUNetConfig};
use fas_diffusion::{
    DdimConfig, GeneratorConfig, StyleCondition, StyleEncoderConfig, StyleFeatures,
    StyleFusionConfig, UNet, UNetConfig, ddim_sample, fusion_reference, guide,
};
use fas_kernels::{GroupNormOptions, conv2d, group_norm};
use fas_weights::{Weights, read_weights};

use crate::training;

/// One call of a row; gives what the peer's output is compared with.
pub(crate) type Call = Box<dyn FnMut() -> Tensor<1>>;

/// What the peer wrote.
pub(crate) struct Folder {
    inputs: Weights,
    weights: PathBuf,
}

impl Folder {
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            inputs: read_weights(&path.join("inputs.safetensors"))?,
            weights: path.join("weights.safetensors"),
        })
    }

    /// Path of the network's weights.
    pub(crate) fn weights(&self) -> &Path {
        &self.weights
    }

    /// Values of an input.
    pub(crate) fn values(&self, name: &str) -> &[f32] {
        &self.inputs.tensors[name].1
    }

    /// An input.
    pub(crate) fn input<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = &self.inputs.tensors[name];
        let shape: [usize; D] = shape.as_slice().try_into().expect("the rank of the peer");
        Tensor::<1>::from_data(values.as_slice(), device).reshape(shape)
    }

    /// Style maps whose names begin with `prefix`, finest first.
    pub(crate) fn style_maps(&self, prefix: &str, device: &Device) -> StyleFeatures {
        let maps = [32, 16, 8].map(|size| self.input(&format!("{prefix}_{size}"), device));
        StyleFeatures(maps.into())
    }
}

/// All values, in order.
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len: usize = tensor.dims().iter().product();
    tensor.reshape([len])
}

/// The row called `name`.
pub(crate) fn row(name: &str, folder: &Folder) -> Result<Call, Box<dyn Error>> {
    let device = Device::flex();
    match name {
        "unet" => unet(folder, &device),
        "guided_step" => guided(folder, vec![240], &device),
        "edit" => guided(folder, DdimConfig::released().timesteps(), &device),
        "stfm_32" => style_fusion(folder, 256, 32, false, &device),
        "stfm_16" => style_fusion(folder, 512, 16, false, &device),
        "stfm_8" => style_fusion(folder, 512, 8, false, &device),
        "stfm_32_step" => style_fusion(folder, 256, 32, true, &device),
        "stfm_16_step" => style_fusion(folder, 512, 16, true, &device),
        "stfm_8_step" => style_fusion(folder, 512, 8, true, &device),
        "group_norm_silu" => Ok(group_norm_silu(folder, &device)),
        "conv3x3" => Ok(convolution(folder, &device)),
        "style_encoder" => style_encoder(folder, &device),
        "training_step" => training::unet_step(folder),
        "sd_unet" => stable_diffusion(folder, &device),
        "kl_decode" => decode(folder, &device),
        "resnet18" => backbone(folder, ResNetConfig::resnet18(), &device),
        "mobilevit" => backbone(folder, MobileVitConfig::s(), &device),
        "vit" => vit(folder, &device),
        "rq_loss" => Ok(training::relative_quality(folder)),
        _ => Err(format!("unknown row {name:?}").into()),
    }
}

fn released_unet(folder: &Folder, device: &Device) -> Result<UNet, Box<dyn Error>> {
    let path = folder.weights();
    let unet = UNetConfig::released().init(device);
    Ok(unet.load_reference(read_weights(path)?, path)?)
}

fn unet(folder: &Folder, device: &Device) -> Result<Call, Box<dyn Error>> {
    let unet = released_unet(folder, device)?;
    let (x_t, content) = (
        folder.input::<4>("x_t", device),
        folder.input::<4>("content", device),
    );
    let maps = folder.style_maps("map", device);
    let timesteps = Tensor::<1, Int>::from_data([240], device);
    Ok(Box::new(move || {
        let style = unet.condition(&maps);
        flat(unet.forward(x_t.clone(), content.clone(), timesteps.clone(), &style))
    }))
}

fn guided(folder: &Folder, timesteps: Vec<usize>, device: &Device) -> Result<Call, Box<dyn Error>> {
    let unet = released_unet(folder, device)?;
    let (x_t, content) = (
        folder.input::<4>("x_t", device),
        folder.input::<4>("content", device),
    );
    let [maps, null] = ["map", "null"].map(|prefix| folder.style_maps(prefix, device));
    let schedule = GeneratorConfig::released(17).schedule.init();
    Ok(Box::new(move || {
        let style = StyleCondition::cat(&[&unet.condition(&maps), &unet.condition(&null)]);
        let denoiser = |x: Tensor<4>, t: Tensor<1, Int>| {
            let output = unet.forward(x, content.clone(), t, &style).narrow(1, 0, 3);
            let [with, without] = [0, 1].map(|half| output.clone().narrow(0, half, 1));
            guide(with, without, 2.0, 3)
        };
        flat(ddim_sample(
            denoiser,
            &schedule,
            x_t.clone(),
            &timesteps,
            &DdimConfig::released(),
            |_| unreachable!("eta is 0"),
            |_, _| {},
        ))
    }))
}

/// With `prepared`, keys and values of the style are there before the call, as in a sampler.
fn style_fusion(
    folder: &Folder,
    channels: usize,
    size: usize,
    prepared: bool,
    device: &Device,
) -> Result<Call, Box<dyn Error>> {
    let path = folder.weights();
    let fusion = StyleFusionConfig::released(channels, size).init(device);
    let fusion = read_weights(path)?.apply_foreign(
        fusion,
        path,
        |site| {
            let (module, _) = site.path.rsplit_once('.')?;
            let parts: Vec<&str> = module.split('.').collect();
            fusion_reference(site, "", &parts, true)
        },
        |_| false,
    )?;
    let (x, style) = (
        folder.input::<4>("x", device),
        folder.input::<4>("style", device),
    );
    let tokens = prepared.then(|| fusion.style_tokens(style.clone()));
    Ok(Box::new(move || match &tokens {
        Some(tokens) => flat(fusion.forward(x.clone(), tokens)),
        None => flat(fusion.forward(x.clone(), &fusion.style_tokens(style.clone()))),
    }))
}

fn group_norm_silu(folder: &Folder, device: &Device) -> Call {
    let x = folder.input::<4>("x", device);
    let [weight, bias] = ["weight", "bias"].map(|name| folder.input::<1>(name, device));
    let options = GroupNormOptions::new(32).with_silu(true);
    Box::new(move || {
        flat(group_norm(
            x.clone(),
            weight.clone(),
            bias.clone(),
            None,
            options,
        ))
    })
}

fn convolution(folder: &Folder, device: &Device) -> Call {
    let x = folder.input::<4>("x", device);
    let weight = folder.input::<4>("weight", device);
    let bias = folder.input::<1>("bias", device);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    Box::new(move || {
        flat(conv2d(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
            options.clone(),
        ))
    })
}

fn style_encoder(folder: &Folder, device: &Device) -> Result<Call, Box<dyn Error>> {
    let path = folder.weights();
    let encoder = StyleEncoderConfig::released(17)
        .init(device)
        .load_reference(read_weights(path)?, path)?;
    let images = folder.input::<4>("images", device);
    Ok(Box::new(move || {
        let maps = encoder.features(images.clone()).0;
        Tensor::cat(maps.into_iter().map(flat).collect(), 0)
    }))
}

fn stable_diffusion(folder: &Folder, device: &Device) -> Result<Call, Box<dyn Error>> {
    let unet = LatentUNetConfig::stable_diffusion()
        .init(device)
        .load_diffusers(folder.weights())?;
    let x_t = folder.input::<4>("x_t", device);
    let context = folder.input::<3>("context", device);
    let timesteps = Tensor::<1, Int>::from_data([500], device);
    Ok(Box::new(move || {
        flat(unet.forward(x_t.clone(), timesteps.clone(), context.clone()))
    }))
}

fn decode(folder: &Folder, device: &Device) -> Result<Call, Box<dyn Error>> {
    let autoencoder = AutoencoderKlConfig::stable_diffusion()
        .init(device)
        .load_diffusers(folder.weights())?;
    let latents = folder.input::<4>("latents", device);
    Ok(Box::new(move || flat(autoencoder.decode(latents.clone()))))
}

fn backbone(
    folder: &Folder,
    config: impl Into<BackboneConfig>,
    device: &Device,
) -> Result<Call, Box<dyn Error>> {
    let config: BackboneConfig = config.into();
    let network = config.init(device).with_pretrained(folder.weights())?;
    let images = folder.input::<4>("images", device);
    Ok(Box::new(move || flat(network.forward(images.clone()))))
}

fn vit(folder: &Folder, device: &Device) -> Result<Call, Box<dyn Error>> {
    // timm's epsilon.
    let config = VitConfig::base().with_layer_norm_epsilon(1e-6);
    let network = config.init(device).with_pretrained(folder.weights())?;
    let images = folder.input::<4>("images", device);
    Ok(Box::new(move || {
        flat(network.features(images.clone(), None))
    }))
}
