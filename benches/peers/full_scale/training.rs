//! Rows that compute gradients.

use std::error::Error;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use fas_classify::loss::RelativeQualityLossConfig;
use fas_diffusion::UNetConfig;
use fas_weights::read_weights;

use crate::rows::{Call, Folder};

const SIZE: usize = 64;

/// Forward, mean squared error, backward, clipping and AdamW of a U-Net of 8.4 million parameters.
pub(crate) fn unet_step(folder: &Folder) -> Result<Call, Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let config = UNetConfig {
        image_size: SIZE,
        ..UNetConfig::released()
    }
    .with_model_channels(32)
    .with_channel_mult(vec![1, 2, 4, 4])
    .with_embed_channels(128)
    .with_dropout(0.0);
    let path = folder.weights();
    let mut unet = config
        .init(&device)
        .load_reference(read_weights(path)?, path)?
        .train();
    eprintln!("training step: {} parameters", unet.num_params());
    let mut optimiser = AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(0.0)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init();
    let [x_t, content, target] =
        ["x_t", "content", "target"].map(|name| folder.input::<4>(name, &device));
    let timesteps = folder.input::<1>("timesteps", &device).int();
    let maps = folder.style_maps("map", &device);
    Ok(Box::new(move || {
        let style = unet.condition(&maps);
        let output = unet.forward(x_t.clone(), content.clone(), timesteps.clone(), &style);
        let loss = (output - target.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &unet);
        unet = optimiser.step(1e-4, unet.clone(), gradients);
        loss.detach()
    }))
}

/// Loss and the gradient of the cosines.
pub(crate) fn relative_quality(folder: &Folder) -> Call {
    let device = Device::flex().autodiff();
    let cosines = folder.input::<2>("cosines", &device).require_grad();
    let as_classes = |values: &[f32]| values.iter().map(|&value| value as usize).collect();
    let classes: Vec<usize> = as_classes(folder.values("classes"));
    let bona_fide: Vec<bool> = folder
        .values("bona_fide")
        .iter()
        .map(|&value| value == 1.0)
        .collect();
    let quality: Vec<Option<f64>> = folder
        .values("quality")
        .iter()
        .map(|&value| Some(f64::from(value)))
        .collect();
    let objective = RelativeQualityLossConfig::new().init();
    Box::new(move || {
        let loss = objective
            .forward(cosines.clone(), &classes, &bona_fide, &quality)
            .mean();
        let gradients = loss.backward();
        let gradient = cosines.grad(&gradients).expect("tracked");
        let [rows, columns] = gradient.dims();
        let gradient = gradient.reshape([rows * columns]);
        Tensor::cat(vec![loss.detach().inner(), gradient], 0)
    })
}
