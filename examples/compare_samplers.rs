//! DPM-Solver++(2M) beside DDIM: how near each comes to DDIM in 250 steps from the same start, face by face.
//!
//! ```text
//! cargo run --release --example compare_samplers
//! ```
//!
//! Expected: a table for each start step, in some minutes on two cores; the rows to compare are DDIM in 25
//! steps and DPM-Solver++(2M) in 10 or fewer. People and captures are simulated, with another seed than
//! those that the generator was trained on.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use clap::Parser;
use fas_diffusion::{
    DdimConfig, DpmSolverConfig, GenerationConfig, Generator, PreparedStyles, Sampler, StepSpacing,
};
use fas_examples::{
    Bundled, BundledGenerator, DeviceChoice, People, cost, images_to_tensor, progress,
};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;

/// Images of one call of the network.
const BATCH: usize = 8;

#[derive(Parser)]
#[command(about = "Compares samplers with DDIM in 250 steps")]
struct Arguments {
    /// Generator; a bundled one that has not seen `--target` by default.
    #[arg(long)]
    generator: Option<std::path::PathBuf>,
    /// Domain that the generator must not have seen.
    #[arg(long, default_value = "sim-O")]
    target: String,
    /// Faces a style.
    #[arg(long, default_value_t = 1)]
    people: usize,
    /// Start steps, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "250,700")]
    start_steps: Vec<usize>,
    /// Guidance scale.
    #[arg(long, default_value_t = 2.0)]
    guidance: f64,
    /// Seed of people, captures and noise.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// Faces, each with a style that the generator knows.
struct Pairs {
    content: Tensor<4>,
    styles: PreparedStyles,
    /// Labels of the generator's style encoder.
    labels: Vec<usize>,
    ids: Vec<String>,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments
        .device
        .device()
        .map_err(|error| error.to_string())?;
    let bundled = BundledGenerator::for_targets(
        arguments.generator.as_deref(),
        Bundled::Alike,
        &[&arguments.target],
        &device,
    )?
    .ok_or("no generator")?;
    let pairs = Pairs::simulate(&bundled, &arguments, &device)?;
    println!(
        "{}, {} faces, guidance {}, seed {}",
        bundled.name,
        pairs.ids.len(),
        arguments.guidance,
        arguments.seed
    );
    for &start in &arguments.start_steps {
        compare(&bundled.generator, &pairs, start, &arguments)?;
    }
    println!("{}", cost(started));
    Ok(())
}

fn compare(
    generator: &Generator,
    pairs: &Pairs,
    start: usize,
    arguments: &Arguments,
) -> Result<(), String> {
    let ddim = |steps| Sampler::from(DdimConfig::new(start).with_sampling_steps(steps));
    let solver = |steps, spacing| {
        let config = DpmSolverConfig::new(start).with_sampling_steps(steps);
        Sampler::from(config.with_spacing(spacing))
    };
    let mut rows: Vec<(String, Sampler)> = [25, 10, 5]
        .map(|steps| (format!("DDIM, {steps} steps"), ddim(steps)))
        .into();
    for (name, spacing) in [
        ("even", StepSpacing::Time { power: 1.0 }),
        ("quadratic", StepSpacing::Time { power: 2.0 }),
        ("even in log SNR", StepSpacing::LogSignalToNoise),
    ] {
        for steps in [5, 8, 10] {
            let name = format!("DPM-Solver++(2M), {steps} steps, {name}");
            rows.push((name, solver(steps, spacing)));
        }
    }
    let reference = pairs.generate(generator, ddim(250), arguments)?;
    println!("\nstart {start}\n");
    println!("| sampler | network calls | PSNR to DDIM-250, dB (lowest) | style accuracy | time |");
    println!("|---|--:|--:|--:|--:|");
    print_row("DDIM, 250 steps", &reference, &reference, generator, pairs);
    for (name, sampler) in rows {
        let run = pairs.generate(generator, sampler, arguments)?;
        print_row(&name, &run, &reference, generator, pairs);
    }
    Ok(())
}

/// Generated images, and what they took.
struct Run {
    images: Tensor<4>,
    calls: usize,
    seconds: f64,
}

fn print_row(name: &str, run: &Run, reference: &Run, generator: &Generator, pairs: &Pairs) {
    let errors: Vec<f64> = (run.images.clone() - reference.images.clone())
        .square()
        .mean_dims(&[1, 2, 3])
        .into_data()
        .iter::<f64>()
        .collect();
    // Pixels lie in [-1, 1]: the peak is 2.
    let psnr: Vec<f64> = errors
        .iter()
        .map(|error| 10.0 * (4.0 / error).log10())
        .collect();
    let mean = psnr.iter().sum::<f64>() / psnr.len() as f64;
    let lowest = psnr.iter().copied().fold(f64::INFINITY, f64::min);
    let predicted = generator
        .networks()
        .style_encoder
        .forward(run.images.clone())
        .argmax(1)
        .into_data();
    let right = predicted
        .iter::<i64>()
        .zip(&pairs.labels)
        .filter(|(predicted, label)| *predicted as usize == **label)
        .count();
    let accuracy = 100.0 * right as f64 / pairs.labels.len() as f64;
    let psnr = if mean.is_finite() {
        format!("{mean:.1} ({lowest:.1})")
    } else {
        "-".to_owned()
    };
    println!(
        "| {name} | {} | {psnr} | {accuracy:.0} % | {:.1} s |",
        run.calls, run.seconds
    );
}

impl Pairs {
    /// Every style of the generator, with a person of its own as content and another as style.
    fn simulate(
        bundled: &BundledGenerator,
        arguments: &Arguments,
        device: &Device,
    ) -> Result<Self, String> {
        let styles: Vec<&str> = bundled
            .card
            .get("styles")
            .ok_or("the generator's card names no styles")?
            .split(',')
            .collect();
        let size = bundled.generator.config().unet.image_size as u32;
        let count = arguments.people * styles.len();
        let People::Synthetic(faces) = People::synthetic(count + 1, arguments.seed)? else {
            unreachable!("asked for synthetic people")
        };
        let capture = |domain: &Domain, face: &Face, presentation: Presentation| {
            let id = format!("{}/{}/{}", domain.name, face.subject, presentation.name());
            domain
                .capture(face, presentation, size, arguments.seed, &id)
                .map_err(|error| error.to_string())
        };
        let (mut content, mut guides) = (Vec::<RgbImage>::new(), Vec::<RgbImage>::new());
        let (mut labels, mut ids) = (Vec::new(), Vec::new());
        for name in &bundled.domains {
            let domain = Domain::by_name(name).map_err(|error| error.to_string())?;
            for kind in AttackKind::ALL {
                let presentation = Presentation::Attack(kind);
                let style = domain.style_label(presentation);
                let label = styles.iter().position(|&known| known == style);
                let label = label.ok_or_else(|| format!("the generator does not know {style}"))?;
                for _ in 0..arguments.people {
                    let person = ids.len();
                    content.push(capture(&domain, &faces[person], Presentation::BonaFide)?);
                    guides.push(capture(&domain, &faces[person + 1], presentation)?);
                    ids.push(format!("{person} as {style}"));
                    labels.push(label);
                }
            }
        }
        let guides = images_to_tensor(&guides, device);
        Ok(Self {
            content: images_to_tensor(&content, device),
            styles: bundled.generator.prepare_styles(guides),
            labels,
            ids,
        })
    }

    fn generate(
        &self,
        generator: &Generator,
        sampler: Sampler,
        arguments: &Arguments,
    ) -> Result<Run, String> {
        let schedule = generator.config().schedule.init();
        let calls = sampler.timesteps(&schedule).len();
        let config = GenerationConfig::new(sampler).with_guidance_scale(arguments.guidance);
        let started = Instant::now();
        let bar = progress("generating", self.ids.len() as u64);
        let mut batches = Vec::new();
        for first in (0..self.ids.len()).step_by(BATCH) {
            let last = (first + BATCH).min(self.ids.len());
            let ids: Vec<&str> = self.ids[first..last].iter().map(String::as_str).collect();
            let images = generator.generate_prepared(
                self.content.clone().narrow(0, first, last - first),
                &self.styles.slice(first..last),
                &ids,
                arguments.seed,
                &config,
            );
            batches.push(images.map_err(|error| error.to_string())?);
            bar.inc((last - first) as u64);
        }
        bar.finish_and_clear();
        Ok(Run {
            images: Tensor::cat(batches, 0),
            calls,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}
