//! What a step of the released U-Net at 256 px, and a training step of the quickstart's, ask of a GPU: kernel
//! launches, and the bytes of the buffers that each is given. Once with our kernels, once with compositions of Burn's
//! operations.
//!
//! ```text
//! cargo run --release -p fas-benches --features wgpu --bin gpu-traffic
//! cargo run --release -p fas-benches --features wgpu,fusion --bin gpu-traffic
//! ```
//!
//! No GPU is needed: the device is wgpu's that computes nothing, and what is counted is the record that wgpu
//! writes of all it is told. An operand counts for each launch that it is given to, once where the result overwrites
//! it. Where Burn chooses by the device, among algorithms of a convolution say, it is what it takes without
//! tensor cores and without autotuning. The style's maps are known in the first, as in a sampler, and its weights as
//! loaded; the second is forward and backward, without the optimiser.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{DataError, Device, Int, Tensor};
use fas_benches::tensor;
use fas_diffusion::GeneratorConfig;
use fas_kernels::{lay_out_convolutions, with_compositions};

/// Kernels that are listed by name.
const LISTED: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let device = recorded_device(folder.path())?;
    let record = folder.path().join("trace.ron");

    device.seed(0);
    let step = released_step(&device);
    print_traffic("U-Net step, 256 px", &record, step)?;
    let step = training_step(&device.clone().autodiff());
    print_traffic(
        "gradients of the small U-Net, 64 px, batch 8",
        &record,
        step,
    )
}

/// A step of the released U-Net in a sampler.
fn released_step(device: &Device) -> impl Fn() -> Result<(), DataError> + use<> {
    let generator = GeneratorConfig::released(17).init(device);
    let networks = lay_out_convolutions(generator.networks().clone());
    let device = device.clone();
    let picture = move || tensor([1, 3, 256, 256], &device);
    let features = networks.style_encoder.features(picture());
    let style = networks.unet.condition(&features);
    move || {
        let t = Tensor::<1, Int>::from_data([240], &picture().device());
        let output = networks.unet.forward(picture(), picture(), t, &style);
        output.into_data().try_to_vec::<f32>().map(drop)
    }
}

/// Loss of the quickstart's U-Net and the gradients of all its weights.
fn training_step(device: &Device) -> impl Fn() -> Result<(), DataError> + use<> {
    let networks = GeneratorConfig::small(16).init(device).networks().clone();
    let device = device.clone();
    move || {
        let picture = || tensor([8, 3, 64, 64], &device);
        let features = networks.style_encoder.features(picture());
        let style = networks.unet.condition(&features);
        let t = Tensor::<1, Int>::from_data([240; 8], &device);
        let output = networks.unet.forward(picture(), picture(), t, &style);
        let loss = (output.clone() * output).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &networks.unet);
        // Waits for all of them.
        networks.unet.visit(&mut Read(gradients));
        Ok(())
    }
}

/// Reads the first value of each gradient.
struct Read(GradientsParams);

impl ModuleVisitor for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.get::<D>(param.id) {
            let _ = gradient.flatten::<1>(0, D - 1).narrow(0, 0, 1).into_data();
        }
    }
}

/// Counts the second call of `step`, with our kernels and with compositions.
fn print_traffic(
    what: &str,
    record: &Path,
    step: impl Fn() -> Result<(), DataError>,
) -> Result<(), Box<dyn Error>> {
    let fusion = if cfg!(feature = "fusion") {
        "with"
    } else {
        "without"
    };
    for (how, kernels) in [("our kernels", true), ("compositions", false)] {
        let run = || {
            if kernels {
                step()
            } else {
                with_compositions(&step)
            }
        };
        // The first compiles, and chooses.
        run()?;
        let begin = record.metadata()?.len();
        run()?;
        let traffic = Traffic::read(record, begin)?;
        println!("| {what}: {how}, {fusion} fusion | launches | MB |\n|---|--:|--:|");
        let all = traffic.values().fold(Traffic::default(), Traffic::plus);
        if all.launches == 0 || all.bytes == 0 {
            return Err("the record tells of no launch: has its format changed?".into());
        }
        println!("{}", all.row("all"));
        let mut kernels: Vec<_> = traffic.iter().collect();
        kernels.sort_by_key(|(name, traffic)| (u64::MAX - traffic.bytes, *name));
        for (name, traffic) in kernels.into_iter().take(LISTED) {
            println!("{}", traffic.row(&format!("`{name}`")));
        }
        println!();
    }
    Ok(())
}

/// A device that computes nothing, with a record of all that it is told in `folder`.
fn recorded_device(folder: &Path) -> Result<Device, Box<dyn Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::NOOP,
        backend_options: wgpu::BackendOptions {
            noop: wgpu::NoopBackendOptions {
                enable: true,
                ..Default::default()
            },
            ..Default::default()
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: wgpu::Features::SHADER_INT64 | wgpu::Features::SUBGROUP,
        required_limits: adapter.limits(),
        trace: wgpu::Trace::Directory(folder.to_owned()),
        ..Default::default()
    }))?;
    let setup = WgpuSetup {
        backend: adapter.get_info().backend,
        instance,
        adapter,
        device,
        queue,
    };
    Ok(Device::wgpu_options().setup(setup).init()?)
}

/// What launches are given.
#[derive(Clone, Copy, Default)]
struct Traffic {
    launches: usize,
    /// Of the stretches of memory that are bound for them.
    bytes: u64,
}

impl Traffic {
    fn plus(self, other: &Self) -> Self {
        Self {
            launches: self.launches + other.launches,
            bytes: self.bytes + other.bytes,
        }
    }

    fn row(self, name: &str) -> String {
        let megabytes = self.bytes as f64 / 1e6;
        format!("| {name} | {} | {megabytes:.1} |", self.launches)
    }

    /// What the record tells from the byte `begin` on, by the name of the kernel. A launch binds its own group of
    /// buffers.
    fn read(record: &Path, begin: u64) -> Result<HashMap<String, Self>, Box<dyn Error>> {
        let mut traffic = HashMap::<_, Self>::new();
        // By their identifiers, which may be given again.
        let mut names = HashMap::new();
        let mut pipelines = HashMap::new();
        let mut action = String::new();
        let mut at = 0;
        for line in BufReader::new(File::open(record)?).lines() {
            let line = line?;
            at += line.len() as u64 + 1;
            if line.starts_with(char::is_alphabetic) {
                action.clear();
            }
            action.push_str(&line);
            if !line.starts_with(')') {
                continue;
            }
            let mut ids = after(&action, "PointerId(");
            if action.starts_with("CreateComputePipeline(") {
                let label = after(&action, "label: Some(\"").next().unwrap_or("unnamed");
                // The last part of a name tells variants apart by a hash.
                let name = label.rsplit_once('_').map_or(label, |(name, _)| name);
                names.insert(ids.next().map(str::to_owned), name.to_owned());
            } else if action.starts_with("GetComputePipelineBindGroupLayout(") {
                let layout = ids.next().map(str::to_owned);
                pipelines.insert(layout, ids.next().map(str::to_owned));
            } else if action.starts_with("CreateBindGroup(") && at > begin {
                let layout = after(&action, "layout: PointerId(").next();
                let pipeline = pipelines.get(&layout.map(str::to_owned));
                let name = pipeline
                    .and_then(|id| names.get(id))
                    .ok_or("a launch of no kernel")?;
                let sizes = after(&action, "size: Some(").map(str::parse::<u64>);
                let bytes = sizes.sum::<Result<u64, _>>()?;
                let sum = traffic.entry(name.clone()).or_default();
                *sum = sum.plus(&Self { launches: 1, bytes });
            }
        }
        Ok(traffic)
    }
}

/// What follows each `key` in `text`, up to the next mark of punctuation.
fn after<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(key).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}
