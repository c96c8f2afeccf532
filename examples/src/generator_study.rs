//! Generators that differ in their fusion of styles alone, trained alike and judged on people they never saw
//! (DiffFAS, figures 5 and 9).

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use fas_data::TrainingPurpose;
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig};
use fas_diffusion::{
    DdimConfig, GenerationConfig, Generator, GeneratorConfig, GeneratorNetworks, UNetConfig,
};
use fas_quality::Brisque;
use fas_report::{Cell, Grid, GridRow, Measure, Table, write_atomically};
use image::RgbImage;

use crate::{
    DeviceChoice, Edit, EditSettings, FaceFolder, FaceSplit, Figures, Instruments, JudgeSettings,
    TripletPool, TripletSettings, bundled_sampler, cost, domains_by_name, edited, edits,
    load_recogniser, progress, style_labels, train_judge,
};

/// Options of the examples of figures 5 and 9.
#[derive(Debug, Clone, Args)]
pub struct FusionArguments {
    /// Folder of faces with `index.csv`.
    #[arg(long)]
    pub faces: PathBuf,
    /// MobileFaceNet weights.
    #[arg(long)]
    pub identity_weights: PathBuf,
    /// Subset of the test split whose people are edited.
    #[arg(long, default_value = "london_neutral")]
    pub subset: String,
    /// Domains whose styles are learned, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "sim-C")]
    pub domains: Vec<String>,
    /// Training people.
    #[arg(long, default_value_t = 400)]
    pub train_people: usize,
    /// People edited into every style.
    #[arg(long, default_value_t = 4)]
    pub people: usize,
    /// Steps of each generator.
    #[arg(long, default_value_t = 250)]
    pub steps: usize,
    /// Triplets a step.
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
    /// Steps of the style encoder, which all generators share.
    #[arg(long, default_value_t = 150)]
    pub encoder_steps: usize,
    /// Steps of the independent style classifier.
    #[arg(long, default_value_t = 300)]
    pub judge_steps: usize,
    /// Guidance scale.
    #[arg(long, default_value_t = 1.0)]
    pub guidance: f64,
    /// The paper's network and training: 256 px, the released schedule, 25 steps of DDIM from step 250. For
    /// a GPU, with `--steps 20000` and faces of 256 px and more.
    #[arg(long)]
    pub paper: bool,
    /// Seed of captures, weights and noise.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub device: DeviceChoice,
}

/// A way of fusing styles.
#[derive(Debug, Clone)]
pub struct FusionVariant {
    /// Name in tables.
    pub name: String,
    /// Makes the network of it.
    pub unet: fn(UNetConfig) -> UNetConfig,
}

impl FusionVariant {
    /// A named change of the network.
    pub fn new(name: &str, unet: fn(UNetConfig) -> UNetConfig) -> Self {
        Self {
            name: name.to_owned(),
            unet,
        }
    }
}

/// What the study measured of one variant.
struct Row {
    name: String,
    figures: Figures,
    /// Mean loss of the last tenth of the steps; none of the simulator.
    loss: Option<f64>,
    images: Vec<RgbImage>,
}

/// Trains a generator a variant with equal data, seed and steps, edits unseen people with each, and
/// writes `table.csv` and `pictures.png` into `out`.
///
/// # Errors
///
/// A message that names what cannot be read, simulated, trained or written.
pub fn compare_fusions(
    arguments: &FusionArguments,
    title: &str,
    variants: &[FusionVariant],
    out: &Path,
) -> Result<(), String> {
    let started = Instant::now();
    let device = arguments.device.device()?;
    let domains = domains_by_name(&arguments.domains)?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let test = folder.load(FaceSplit::Test, Some(&arguments.subset), None)?;
    let train = folder.load(FaceSplit::Train, None, Some(arguments.train_people))?;
    let size = if arguments.paper { 256 } else { 64 };
    let settings = TripletSettings {
        attacks_per_face: 3,
        size,
        seed: arguments.seed,
    };
    let pool = TripletPool::simulate(&train, &domains, settings)?;
    let judge = JudgeSettings {
        steps: arguments.judge_steps,
        size,
        seed: arguments.seed + 1000,
    };
    let captures = EditSettings {
        people: arguments.people,
        size,
        seed: arguments.seed + 1000,
    };
    let edits = edits(&test, &domains, captures)?;
    let instruments = Instruments {
        judge: train_judge(&train, &domains, judge, &device)?,
        recogniser: load_recogniser(&arguments.identity_weights, &device)?,
        brisque: Brisque::new(),
        device: &device,
    };
    let measured = |images: &[RgbImage]| -> Result<Figures, String> {
        let measured = instruments.measure(&edits, images, &test)?;
        Ok(Figures::new(&measured.iter().collect::<Vec<_>>()))
    };

    let simulated: Vec<RgbImage> = edits.iter().map(|edit| edit.simulated.clone()).collect();
    let mut rows = vec![Row {
        name: "simulator".to_owned(),
        figures: measured(&simulated)?,
        loss: None,
        images: simulated,
    }];
    let mut encoder = None;
    for variant in variants {
        let (generator, loss) = trained(variant, &mut encoder, &pool, arguments, &device)?;
        let images = edited(&generator, &edits, &sampler(arguments), arguments.seed)?;
        let figures = measured(&images)?;
        println!(
            "{}: loss {loss:.3}, {}, {:.0} s so far",
            variant.name,
            summary(&figures),
            started.elapsed().as_secs_f64()
        );
        rows.push(Row {
            name: variant.name.clone(),
            figures,
            loss: Some(loss),
            images,
        });
    }
    write(title, &rows, &edits, &style_labels(&domains), out)?;
    println!("{}\n{}", out.display(), cost(started));
    Ok(())
}

fn sampler(arguments: &FusionArguments) -> GenerationConfig {
    if arguments.paper {
        let sampler = DdimConfig::new(250).with_sampling_steps(25);
        return GenerationConfig::new(sampler.into()).with_guidance_scale(arguments.guidance);
    }
    bundled_sampler(999, arguments.guidance)
}

/// The trained generator and the mean loss of its last tenth of steps. All variants have the style encoder
/// that the first one trained.
fn trained(
    variant: &FusionVariant,
    encoder: &mut Option<GeneratorNetworks>,
    pool: &TripletPool,
    arguments: &FusionArguments,
    device: &Device,
) -> Result<(Generator, f64), String> {
    let styles = pool.styles().len();
    let mut config = if arguments.paper {
        GeneratorConfig::paper(styles)
    } else {
        GeneratorConfig::small(styles)
    };
    config.unet = (variant.unet)(config.unet);
    device.seed(arguments.seed);
    let mut generator = config.init(device);
    if let Some(trained) = encoder {
        let networks = GeneratorNetworks {
            style_encoder: trained.style_encoder.clone(),
            unet: generator.networks().unet.clone(),
        };
        generator = generator.with_networks(networks);
    } else {
        generator = pool.train_style_encoder(generator, arguments.encoder_steps, device)?;
        *encoder = Some(generator.networks().clone());
    }
    let training = if arguments.paper {
        GeneratorTrainingConfig::released(arguments.steps)
    } else {
        GeneratorTrainingConfig::new(arguments.steps)
    };
    let admitted = pool.admitted(TrainingPurpose::Generator)?;
    let training = training.with_seed(arguments.seed);
    let mut trainer =
        GeneratorTrainer::new(generator, training, &admitted).map_err(|error| error.to_string())?;
    let bar = progress("training a generator", arguments.steps as u64);
    let last = (arguments.steps / 10).max(1);
    let mut loss = 0.0;
    for step in 0..arguments.steps {
        let batch = pool.batch(arguments.batch_size, step, device);
        let report = trainer.step(batch).map_err(|error| error.to_string())?;
        if step + last >= arguments.steps {
            loss += f64::from(report.loss) / last as f64;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((trainer.averaged(), loss))
}

fn summary(figures: &Figures) -> String {
    format!(
        "style {:.1} %, identity {:.3}, BRISQUE {:.1}",
        100.0 * figures.style_accuracy,
        figures.identity,
        figures.brisque
    )
}

fn write(
    title: &str,
    rows: &[Row],
    edits: &[Edit],
    styles: &[String],
    out: &Path,
) -> Result<(), String> {
    let mut table = Table::new(
        title,
        ["fusion", "loss", "style accuracy", "identity", "BRISQUE"],
    );
    for row in rows {
        let Figures {
            style_accuracy,
            identity,
            brisque,
            ..
        } = row.figures;
        let loss = row
            .loss
            .map_or(Cell::from("-"), |loss| Measure::plain(loss).into());
        table = table.with_row([
            Cell::from(row.name.clone()),
            loss,
            Measure::percent(style_accuracy).into(),
            Measure::plain(identity).into(),
            Measure::plain(brisque).with_decimals(1).into(),
        ]);
    }
    let pictures = styles.iter().enumerate().filter_map(|(style, label)| {
        let at = edits.iter().position(|edit| edit.style == style)?;
        let mut images = vec![edits[at].live.clone(), edits[at].reference.clone()];
        images.extend(rows.iter().map(|row| row.images[at].clone()));
        Some(GridRow::new(label, images))
    });
    let names = rows.iter().map(|row| row.name.as_str());
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    Grid::new(pictures.collect())
        .with_title(title)
        .with_columns(["live", "style"].into_iter().chain(names))
        .with_cell_size(160)
        .write_png(out.join("pictures.png"))
        .map_err(|error| error.to_string())?;
    let csv = out.join("table.csv");
    write_atomically(&csv, table.csv().as_bytes()).map_err(|error| error.to_string())?;
    println!("{}", table.csv());
    Ok(())
}
