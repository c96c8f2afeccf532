//! AG-FAS at the paper's size: time and memory of the De-spoofing Face Generator at 256 px.
//!
//! ```text
//! cargo run --release --example agfas_full_scale
//! cargo run --release --example agfas_full_scale -- --half --calls 2
//! ```
//!
//! Expected: a table with one row a part: KL-f8, iresnet-18 and the U-Net of Stable Diffusion v1 (859.5
//! million parameters), from random weights, which changes neither time nor memory. `--half` keeps the
//! U-Net's weights in 16 bits. `--calls` is how many of the released code's 41 steps are taken.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use clap::Parser;
use fas_dfg::{DespoofingConfig, DespoofingGenerator, DespoofingGeneratorConfig, DespoofingStart};
use fas_examples::{DeviceChoice, cost, peak_memory, reset_peak_memory};

#[derive(Debug, Parser)]
#[command(about = "Time and memory of AG-FAS's generator at 256 px")]
struct Arguments {
    /// Keep the U-Net's weights in 16 bits.
    #[arg(long)]
    half: bool,
    /// Calls of the U-Net in the edit, of the released code's 41.
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u16).range(1..=41))]
    calls: u16,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    device.seed(0);
    println!("| what | time | peak memory |");
    println!("|---|--:|--:|");
    let generator = row("weights drawn", &device, || {
        let generator = DespoofingGeneratorConfig::released().init(&device);
        let generator = if arguments.half {
            generator.with_half_weights()
        } else {
            generator
        };
        // Weights are drawn when they are first used.
        edit(&generator, 1);
        generator
    })?;
    row("first stage, there and back", &device, || {
        generator.reconstruct(face(&generator))
    })?;
    row("edit, 1 call of the U-Net", &device, || edit(&generator, 1))?;
    let calls = usize::from(arguments.calls);
    row(
        &format!("edit, {calls} calls of the U-Net"),
        &device,
        || edit(&generator, calls),
    )?;
    println!("{}", cost(started));
    Ok(())
}

/// Runs and prints one row; peak memory is that of the row alone where the system can tell.
fn row<T>(name: &str, device: &Device, run: impl FnOnce() -> T) -> Result<T, String> {
    reset_peak_memory();
    let started = Instant::now();
    let result = run();
    device.sync().map_err(|error| error.to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    let memory = peak_memory().map_or("unknown".to_owned(), |bytes| {
        format!("{:.2} GB", bytes as f64 / 1e9)
    });
    println!("| {name} | {seconds:.1} s | {memory} |");
    Ok(result)
}

fn face(generator: &DespoofingGenerator) -> Tensor<4> {
    let shape = [1, 3, 256, 256];
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), generator.device())
}

/// De-spoofs a face in the last `calls` steps of the released code's list.
fn edit(generator: &DespoofingGenerator, calls: usize) -> Tensor<4> {
    let config = DespoofingConfig::released().with_start(DespoofingStart::NoisedInput {
        start_step: 20 * (calls - 1) + 1,
    });
    generator.despoof(face(generator), &["face"], 0, &config)
}
