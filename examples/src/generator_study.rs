//! Generators that differ in one thing alone, trained alike and judged on people they never saw (DiffFAS,
//! section 3.2 and figures 5 and 9).

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use fas_data::TrainingPurpose;
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig};
use fas_diffusion::{DdimConfig, GenerationConfig, Generator, GeneratorConfig, GeneratorNetworks};
use fas_quality::Brisque;
use fas_report::{Cell, Grid, GridRow, Measure, Table, write_atomically};
use image::RgbImage;

use crate::{
    DeviceChoice, Edit, EditSettings, FaceFolder, FaceSplit, Figures, Instruments, JudgeSettings,
    TripletPool, TripletSettings, bundled_sampler, cost, domains_by_name, edited, edits,
    load_recogniser, mean_and_deviation, progress, style_labels, train_judge,
};

/// Steps at which the clean image that a generator sees is compared with the true one.
const ERROR_STEPS: [usize; 5] = [60, 250, 500, 700, 900];

/// Options of the examples that compare generators.
#[derive(Debug, Clone, Args)]
pub struct GeneratorStudyArguments {
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
    #[arg(long, default_value_t = 500)]
    pub steps: usize,
    /// Trainings of each generator, with different seeds of captures, weights and noise.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,
    /// Triplets a step.
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
    /// Steps of the style encoder, which all generators of a run share.
    #[arg(long, default_value_t = 150)]
    pub encoder_steps: usize,
    /// Steps of the independent style classifier.
    #[arg(long, default_value_t = 300)]
    pub judge_steps: usize,
    /// Steps that edits start from, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "999")]
    pub start: Vec<usize>,
    /// Guidance scale.
    #[arg(long, default_value_t = 1.0)]
    pub guidance: f64,
    /// The paper's network and training: 256 px, the released schedule, 25 steps of DDIM. For a GPU, with
    /// `--steps 20000 --start 250` and faces of 256 px and more.
    #[arg(long)]
    pub paper: bool,
    /// Seed of captures, weights and noise.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub device: DeviceChoice,
}

/// One of the generators that are compared.
#[derive(Debug, Clone)]
pub struct GeneratorVariant {
    /// Name in tables.
    pub name: String,
    /// Makes its configuration of the one they share.
    pub config: fn(GeneratorConfig) -> GeneratorConfig,
}

impl GeneratorVariant {
    /// A named change of the configuration.
    pub fn new(name: &str, config: fn(GeneratorConfig) -> GeneratorConfig) -> Self {
        Self {
            name: name.to_owned(),
            config,
        }
    }
}

/// What was measured of a variant and a start step, run by run.
struct Row {
    name: String,
    figures: Vec<Figures>,
    /// Of the clean image at [`ERROR_STEPS`]; none of the simulator.
    errors: Vec<[f64; ERROR_STEPS.len()]>,
    /// Of the first run.
    images: Vec<RgbImage>,
}

/// Trains each variant in every run, with equal data, seed and steps, edits unseen people with it, and
/// writes `table.csv` (means and standard deviations over the runs) and `pictures.png` into `out`.
///
/// # Errors
///
/// A message that names what cannot be read, simulated, trained or written.
pub fn compare_generators(
    arguments: &GeneratorStudyArguments,
    title: &str,
    variants: &[GeneratorVariant],
    out: &Path,
) -> Result<(), String> {
    let started = Instant::now();
    let device = arguments.device.device()?;
    let domains = domains_by_name(&arguments.domains)?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let test = folder.load(FaceSplit::Test, Some(&arguments.subset), None)?;
    let train = folder.load(FaceSplit::Train, None, Some(arguments.train_people))?;
    let size = if arguments.paper { 256 } else { 64 };
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
        figures: vec![measured(&simulated)?],
        errors: Vec::new(),
        images: simulated,
    }];
    for run in 0..arguments.runs {
        let seed = arguments.seed + run;
        let settings = TripletSettings {
            attacks_per_face: 3,
            size,
            seed,
        };
        let pool = TripletPool::simulate(&train, &domains, settings)?;
        let mut encoder = None;
        let mut at = 1;
        for variant in variants {
            let generator = trained(variant, &mut encoder, &pool, arguments, seed, &device)?;
            let errors = pool.clean_image_errors(&generator, ERROR_STEPS, &device);
            for &start in &arguments.start {
                let images = edited(&generator, &edits, &sampler(arguments, start).into(), seed)?;
                let figures = measured(&images)?;
                let name = match arguments.start.len() {
                    1 => variant.name.clone(),
                    _ => format!("{}, from step {start}", variant.name),
                };
                println!(
                    "{name}, seed {seed}: {}, {:.0} s so far",
                    summary(&figures),
                    started.elapsed().as_secs_f64()
                );
                if run == 0 {
                    rows.push(Row {
                        name,
                        figures: vec![figures],
                        errors: vec![errors],
                        images,
                    });
                } else {
                    rows[at].figures.push(figures);
                    rows[at].errors.push(errors);
                }
                at += 1;
            }
        }
    }
    write(title, &rows, &edits, &style_labels(&domains), out)?;
    println!("{}\n{}", out.display(), cost(started));
    Ok(())
}

fn sampler(arguments: &GeneratorStudyArguments, start: usize) -> GenerationConfig {
    if arguments.paper {
        let sampler = DdimConfig::new(start).with_sampling_steps(25);
        return GenerationConfig::new(sampler.into()).with_guidance_scale(arguments.guidance);
    }
    bundled_sampler(start, arguments.guidance)
}

/// A trained variant. All of a run have the style encoder that the first one trained.
fn trained(
    variant: &GeneratorVariant,
    encoder: &mut Option<GeneratorNetworks>,
    pool: &TripletPool,
    arguments: &GeneratorStudyArguments,
    seed: u64,
    device: &Device,
) -> Result<Generator, String> {
    let styles = pool.styles().len();
    let config = if arguments.paper {
        GeneratorConfig::paper(styles)
    } else {
        GeneratorConfig::small(styles)
    };
    device.seed(seed);
    let mut generator = (variant.config)(config).init(device);
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
    let training = training.with_seed(seed);
    let mut trainer =
        GeneratorTrainer::new(generator, training, &admitted).map_err(|error| error.to_string())?;
    let bar = progress("training a generator", arguments.steps as u64);
    for step in 0..arguments.steps {
        let batch = pool.batch(arguments.batch_size, step, device);
        trainer.step(batch).map_err(|error| error.to_string())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(trainer.averaged())
}

fn summary(figures: &Figures) -> String {
    format!(
        "style {:.1} %, identity {:.3}, BRISQUE {:.1}",
        100.0 * figures.style_accuracy,
        figures.identity,
        figures.brisque
    )
}

/// Mean, with the standard deviation where there are several runs.
fn measure(values: &[f64], of: fn(f64) -> Measure) -> Measure {
    let (mean, deviation) = mean_and_deviation(values);
    match values.len() {
        1 => of(mean),
        _ => of(mean).with_spread(deviation),
    }
}

fn write(
    title: &str,
    rows: &[Row],
    edits: &[Edit],
    styles: &[String],
    out: &Path,
) -> Result<(), String> {
    let columns = ["generator", "style accuracy", "identity", "BRISQUE"].map(str::to_owned);
    let errors = ERROR_STEPS.map(|step| format!("error at {step}"));
    let mut table = Table::new(title, columns.into_iter().chain(errors));
    for row in rows {
        let column = |of: fn(&Figures) -> f64, unit| {
            let values: Vec<f64> = row.figures.iter().map(of).collect();
            Cell::from(measure(&values, unit))
        };
        let errors = (0..ERROR_STEPS.len()).map(|k| match row.errors.len() {
            0 => Cell::from("-"),
            _ => {
                let values: Vec<f64> = row.errors.iter().map(|errors| errors[k]).collect();
                measure(&values, |value| Measure::plain(value).with_decimals(4)).into()
            }
        });
        let cells = [
            Cell::from(row.name.clone()),
            column(|figures| figures.style_accuracy, Measure::percent),
            column(|figures| figures.identity, Measure::plain),
            column(
                |figures| figures.brisque,
                |v| Measure::plain(v).with_decimals(1),
            ),
        ];
        table = table.with_row(cells.into_iter().chain(errors));
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
