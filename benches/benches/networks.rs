//! Networks, samplers and losses at full size, and how their cost grows: `cargo bench -p fas-benches
//! --bench networks`. `peers/full_scale/` times PyTorch beside the first groups.

use std::time::Duration;

use burn::tensor::{Device, Int, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fas_benches::tensor;
use fas_classify::loss::RelativeQualityLossConfig;
use fas_data::{Batcher, BatcherConfig, Fit, Label, Sample, Split};
use fas_diffusion::{
    DdimConfig, GenerationConfig, GeneratorConfig, StyleCondition, StyleFeatures,
    StyleFusionConfig, UNetConfig, guide,
};
use image::{Rgb, RgbImage};

/// Style maps of an image of 256 px, as the released style encoder makes them.
fn style_maps(device: &Device) -> StyleFeatures {
    let sizes = [[256, 32], [512, 16], [512, 8]];
    StyleFeatures(
        sizes
            .map(|[c, side]| tensor([1, c, side, side], device))
            .into(),
    )
}

/// One step of the released U-Net at 256 px, and one with classifier-free guidance.
fn unet(c: &mut Criterion) {
    let device = Device::flex();
    let unet = UNetConfig::released().init(&device);
    let one = unet.condition(&style_maps(&device));
    let both = StyleCondition::cat(&[&one, &one]);
    let x = tensor::<4>([1, 3, 256, 256], &device);
    let timesteps = Tensor::<1, Int>::from_data([240], &device);
    let mut group = c.benchmark_group("unet_256px");
    group.sample_size(10);
    group.bench_function("step", |b| {
        b.iter(|| unet.forward(x.clone(), x.clone(), timesteps.clone(), &one));
    });
    group.bench_function("guided_step", |b| {
        b.iter(|| {
            let output = unet.forward(x.clone(), x.clone(), timesteps.clone(), &both);
            let output = output.narrow(1, 0, 3);
            let [with, without] = [0, 1].map(|half| output.clone().narrow(0, half, 1));
            guide(with, without, 2.0, 3)
        });
    });
    group.finish();
}

/// Fusion of a style in the released form, with its keys and values there (as in a sampler) and without.
fn style_fusion(c: &mut Criterion) {
    let device = Device::flex();
    let mut group = c.benchmark_group("style_fusion");
    for [channels, size] in [[256, 32], [512, 16], [512, 8]] {
        let fusion = StyleFusionConfig::released(channels, size).init(&device);
        let x = tensor::<4>([1, channels, size, size], &device);
        let tokens = fusion.style_tokens(x.clone());
        let name = format!("{size}x{size}x{channels}");
        group.bench_function(BenchmarkId::new("prepared", &name), |b| {
            b.iter(|| fusion.forward(x.clone(), &tokens));
        });
        group.bench_function(BenchmarkId::new("anew", &name), |b| {
            b.iter(|| fusion.forward(x.clone(), &fusion.style_tokens(x.clone())));
        });
    }
    group.finish();
}

/// Relative Quality loss of 256 samples and 40 classes, forward and backward.
fn relative_quality(c: &mut Criterion) {
    let device = Device::flex().autodiff();
    let cosines = tensor::<2>([256, 40], &device).require_grad();
    let classes: Vec<usize> = (0..256).map(|i| i % 40).collect();
    let bona_fide: Vec<bool> = classes.iter().map(|&class| class < 8).collect();
    let quality: Vec<Option<f64>> = (0..256).map(|i| Some(f64::from(i % 100))).collect();
    let objective = RelativeQualityLossConfig::new().init();
    c.bench_function("rq_loss/256x40", |b| {
        b.iter(|| {
            let losses = objective.forward(cosines.clone(), &classes, &bona_fide, &quality);
            losses.mean().backward()
        });
    });
}

/// The small generator over a decade of images and of steps: time per element should not grow.
fn sampler(c: &mut Criterion) {
    let device = Device::flex();
    let generator = GeneratorConfig::small(8).init(&device);
    let mut group = c.benchmark_group("sampler_64px");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(8));
    let mut generate = |name: &str, images: usize, steps: usize| {
        let live = tensor::<4>([images, 3, 64, 64], &device);
        let ids: Vec<String> = (0..images).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let ddim = DdimConfig::new(999).with_sampling_steps(steps);
        let config = GenerationConfig::new(ddim.into()).with_guidance_scale(2.0);
        let elements = images * steps;
        group.throughput(Throughput::Elements(elements as u64));
        group.bench_function(BenchmarkId::new(name, elements), |b| {
            b.iter(|| {
                generator
                    .generate(live.clone(), live.clone(), &ids, 0, &config)
                    .expect("as many styles as faces")
            });
        });
    };
    for images in [1, 2, 5, 10] {
        generate("images_of_10_steps", images, 10);
    }
    for steps in [10, 20, 50, 100] {
        generate("steps_of_1_image", 1, steps);
    }
    group.finish();
}

/// JPEG files of 640x480 to cropped values of 224 px.
fn decode(c: &mut Criterion) {
    const FILES: u64 = 32;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let samples = (0..FILES)
        .map(|number| {
            let name = format!("{number}.jpg");
            let wave = |x: u32, period: f32| 110.0 * (1.0 + (x as f32 / period).sin());
            RgbImage::from_fn(640, 480, |x, y| {
                Rgb([31.0, 47.0, 83.0].map(|period| wave(x + y + number as u32, period) as u8))
            })
            .save(folder.path().join(&name))
            .expect("a writable folder");
            Sample {
                id: name.clone(),
                path: name.into(),
                label: Label::BonaFide,
                domain: "bench".to_owned(),
                split: Split::Train,
                subject: "bench".to_owned(),
                video: None,
                style: "bench".to_owned(),
                synthetic: false,
                quality_score: None,
                presenter: None,
                crop: None,
            }
        })
        .collect();
    let config = BatcherConfig::new(224)
        .with_batch_size(8)
        .with_fit(Fit::CenterSquare);
    let batcher = Batcher::new(folder.path(), samples, config);
    let mut group = c.benchmark_group("decode_and_crop");
    group.throughput(Throughput::Elements(FILES));
    group.bench_function("640x480_to_224", |b| {
        b.iter(|| {
            batcher
                .in_order()
                .map(|batch| batch.expect("readable files").labels.len())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(
    benches,
    unet,
    style_fusion,
    relative_quality,
    sampler,
    decode
);
criterion_main!(benches);
