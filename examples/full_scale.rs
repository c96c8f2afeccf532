//! DiffFAS at the paper's size: time and memory of one edit and of one training step at 256 px.
//!
//! ```text
//! cargo run --release --example full_scale
//! cargo run --release --example full_scale -- --only edit --sampling-steps 25
//! ```
//!
//! Expected: a table with one row a part, in some minutes on two free cores; the aim for the edit is less
//! than 8 GB. Weights are random, which changes neither time nor memory.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use clap::{Parser, ValueEnum};
use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig, TripletBatch};
use fas_diffusion::{
    DdimConfig, DpmSolverConfig, GenerationConfig, Generator, GeneratorConfig, Sampler,
};
use fas_examples::{DeviceChoice, cost, peak_memory, reset_peak_memory};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Edit,
    Training,
}

#[derive(Parser)]
#[command(about = "Time and memory of DiffFAS at 256 px")]
struct Arguments {
    /// Measures one part alone.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Steps of DDIM from step 250.
    #[arg(long, default_value_t = 25)]
    sampling_steps: usize,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments
        .device
        .device()
        .map_err(|error| error.to_string())?;
    device.seed(0);
    let generator = GeneratorConfig::released(17).init(&device);
    println!("| what | time | peak memory |");
    println!("|---|--:|--:|");
    if arguments.only != Some(Part::Training) {
        edits(&generator, &arguments, &device)?;
    }
    if arguments.only != Some(Part::Edit) {
        for checkpointing in [false, true] {
            training_steps(&generator, checkpointing, &device)?;
        }
    }
    println!("{}", cost(started));
    Ok(())
}

/// Runs and prints one row; peak memory is that of the row alone where the system can tell.
fn row<T>(
    name: &str,
    device: &Device,
    run: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    reset_peak_memory();
    let started = Instant::now();
    let result = run()?;
    device.sync().map_err(|error| error.to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    let memory = peak_memory().map_or("unknown".to_owned(), |bytes| {
        format!("{:.2} GB", bytes as f64 / 1e9)
    });
    println!("| {name} | {seconds:.1} s | {memory} |");
    Ok(result)
}

fn image(device: &Device) -> Tensor<4> {
    Tensor::random([1, 3, 256, 256], Distribution::Uniform(-1.0, 1.0), device)
}

fn edits(generator: &Generator, arguments: &Arguments, device: &Device) -> Result<(), String> {
    let (content, style) = (image(device), image(device));
    let styles = row("weights drawn, style prepared", device, || {
        generator.null_style();
        Ok(generator.prepare_styles(style))
    })?;
    let ddim = |steps| Sampler::from(DdimConfig::new(250).with_sampling_steps(steps));
    let solver = Sampler::from(DpmSolverConfig::new(250).with_sampling_steps(10));
    let steps = arguments.sampling_steps;
    for (name, sampler, scale) in [
        ("one step, no guidance".to_owned(), ddim(1), 1.0),
        ("one step, guided".to_owned(), ddim(1), 2.0),
        (
            "edit, DPM-Solver++(2M), 10 steps, guided".to_owned(),
            solver,
            2.0,
        ),
        (
            format!("edit, DDIM, {steps} steps, guided"),
            ddim(steps),
            2.0,
        ),
    ] {
        let config = GenerationConfig::new(sampler).with_guidance_scale(scale);
        row(&name, device, || {
            generator
                .generate_prepared(content.clone(), &styles, &["face"], 0, &config)
                .map_err(|error| error.to_string())
        })?;
    }
    Ok(())
}

fn training_steps(
    generator: &Generator,
    checkpointing: bool,
    device: &Device,
) -> Result<(), String> {
    let admitted = LeakageGuard::new(&Protocol::intra("none"))
        .admit(TrainingPurpose::Generator, Vec::new())
        .map_err(|error| error.to_string())?;
    let config = GeneratorTrainingConfig::released(2).with_gradient_checkpointing(checkpointing);
    let mut trainer = GeneratorTrainer::new(generator.clone(), config, &admitted)
        .map_err(|error| error.to_string())?;
    let kept = if checkpointing {
        ", gradient checkpointing"
    } else {
        ""
    };
    // The first step makes the optimiser's state.
    for name in ["first training step", "training step"] {
        let batch = TripletBatch {
            content: image(device),
            target: image(device),
            style: image(device),
            ids: Vec::new(),
        };
        row(&format!("{name}, batch 1{kept}"), device, || {
            trainer.step(batch).map_err(|error| error.to_string())
        })?;
    }
    Ok(())
}
