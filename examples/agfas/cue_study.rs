//! Is the cue real? AG-FAS, section 3.3, without any detector.
//!
//! ```text
//! cargo run --release --example agfas_cue_study -- --faces FOLDER --generator dfg.safetensors \
//!     --identity-weights mobilefacenet_foamliu.safetensors
//! ```
//!
//! Expected: for each cue, how well its mean absolute value and a linear probe on it tell bona fide faces
//! from each kind of attack, on people that nothing was trained on; the probe is tested on other people
//! than it learned from, and in further rows on another domain. Beside the cues stand three controls, of
//! which one is the generator's first stage alone. With `--generator`, then the generator's start modes: how near de-spoofed faces stay to their inputs,
//! in dB and in identity, and what each start's cue gives away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use clap::Parser;
use fas_data::{Sample, Split};
use fas_dfg::{
    DespoofingConfig, DespoofingStart, MobileFaceNet, align_face, cosine_similarity, identity_input,
};
use fas_examples::{
    AgfasArguments, Captures, Comparison, CueSource, Cues, Entry, RealFaces, attack_auc,
    block_statistics, image_values, load_recogniser, pixel_distance, presentation_name, probe_aucs,
};
use fas_report::{Grid, GridRow};
use fas_sim::{AttackKind, BenchmarkConfig, CANONICAL_LANDMARKS_128, Presentation};
use image::RgbImage;

/// Folds of people.
const FOLDS: usize = 4;
/// Steps of de-spoofing from pure noise.
const PURE_NOISE_STEPS: usize = 20;

#[derive(Debug, Parser)]
#[command(about = "Is AG-FAS's cue real? Cues alone, without any detector")]
struct Arguments {
    #[command(flatten)]
    agfas: AgfasArguments,
    /// Noise levels of the start that are compared; pure noise is besides.
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        default_value = "100,300,500,700,900"
    )]
    starts: Vec<usize>,
    /// Released weights of MobileFaceNet, to compare identities.
    #[arg(long)]
    identity_weights: Option<PathBuf>,
}

type Data = (Captures, RealFaces);

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let agfas = &arguments.agfas;
    let started = Instant::now();
    let device = agfas.device.device()?;
    // The captures of Table 4, so that its cached cues serve here.
    let data = agfas.captures(BenchmarkConfig::ocim)?;
    let judged = Judged::new(&data.0);
    cue_table(agfas, &data, &judged, started, &device)?;
    if agfas.generator.is_some() {
        start_table(&arguments, &data, &judged, started, &device)?;
    }
    Ok(())
}

/// The test samples, and how they are divided.
struct Judged {
    samples: Vec<Sample>,
    images: Vec<RgbImage>,
    person_fold: Vec<usize>,
    domain_fold: Vec<usize>,
}

impl Judged {
    fn new(captures: &Captures) -> Self {
        let all = captures.manifest().samples().iter().zip(captures.images());
        let (samples, images): (Vec<Sample>, Vec<RgbImage>) = all
            .filter(|(sample, _)| sample.split == Split::Test)
            .map(|(sample, image)| (sample.clone(), image.clone()))
            .unzip();
        let domains = captures.manifest().domains();
        let mut people: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for sample in &samples {
            people.insert((&sample.domain, &sample.subject), 0);
        }
        // In turn within each domain, so that every fold has people of all.
        for (number, place) in people.values_mut().enumerate() {
            *place = number % FOLDS;
        }
        let person_fold = samples
            .iter()
            .map(|sample| people[&(sample.domain.as_str(), sample.subject.as_str())])
            .collect();
        let domain_fold = samples
            .iter()
            .map(|sample| {
                let place = domains.iter().position(|domain| *domain == sample.domain);
                place.expect("domains are those of the samples")
            })
            .collect();
        Self {
            samples,
            images,
            person_fold,
            domain_fold,
        }
    }

    /// Places of bona fide samples and of the attacks of `kind`.
    fn against(&self, kind: AttackKind) -> Vec<usize> {
        let ending = format!("/{}", Presentation::Attack(kind).name());
        let wanted =
            |sample: &Sample| sample.label.is_bona_fide() || sample.style.ends_with(&ending);
        (0..self.samples.len())
            .filter(|&at| wanted(&self.samples[at]))
            .collect()
    }

    fn attacks(&self, places: &[usize]) -> Vec<bool> {
        let attack = |&at: &usize| !self.samples[at].label.is_bona_fide();
        places.iter().map(attack).collect()
    }

    /// AUC of `energy` against each kind.
    fn energy_aucs(&self, energy: &[f64]) -> Result<Vec<f64>, String> {
        AttackKind::ALL
            .into_iter()
            .map(|kind| {
                let places = self.against(kind);
                let values: Vec<f64> = places.iter().map(|&at| energy[at]).collect();
                attack_auc(&values, &self.attacks(&places))
            })
            .collect()
    }

    /// AUCs of a linear probe on `features` against each kind, one a fold of `folds`.
    fn probe_aucs(&self, features: &[Vec<f64>], folds: &[usize]) -> Result<Vec<Vec<f64>>, String> {
        AttackKind::ALL
            .into_iter()
            .map(|kind| {
                let places = self.against(kind);
                let part: Vec<Vec<f64>> = places.iter().map(|&at| features[at].clone()).collect();
                let fold: Vec<usize> = places.iter().map(|&at| folds[at]).collect();
                probe_aucs(&part, &self.attacks(&places), &fold)
            })
            .collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean over the kinds, a value a fold.
fn over_kinds(aucs: &[Vec<f64>]) -> Vec<f64> {
    (0..aucs[0].len())
        .map(|fold| mean(&aucs.iter().map(|kind| kind[fold]).collect::<Vec<_>>()))
        .collect()
}

/// What a cue says of the test samples.
struct Spoken {
    energy: Option<Vec<f64>>,
    features: Vec<Vec<f64>>,
}

fn spoken(cues: &Cues, judged: &Judged, device: &Device) -> Result<Spoken, String> {
    let size = judged.images[0].width() as usize;
    let energy = judged.samples.iter().map(|sample| cues.energy(&sample.id));
    let features = judged.samples.iter().map(|sample| {
        let cue = cues.for_networks(&sample.id, device)?;
        Ok(block_statistics(&cue, size))
    });
    Ok(Spoken {
        energy: Some(energy.collect::<Result<_, String>>()?),
        features: features.collect::<Result<_, String>>()?,
    })
}

fn cue_table(
    agfas: &AgfasArguments,
    data: &Data,
    judged: &Judged,
    started: Instant,
    device: &Device,
) -> Result<(), String> {
    let size = judged.images[0].width() as usize;
    let of_image = |image: &RgbImage| {
        let values: Vec<f32> = image_values(image).collect();
        block_statistics(&values, size)
    };
    let image = Spoken {
        energy: None,
        features: judged.images.iter().map(of_image).collect(),
    };
    let mut rows = vec![("control: the image".to_owned(), image)];
    let blur = agfas.cues(CueSource::Blur, data, device)?;
    rows.push((
        format!("control: {}", blur.name),
        spoken(&blur, judged, device)?,
    ));
    let mut generated = None;
    if let Some([first_stage, despoofed]) = agfas.generator_cues(data, device)? {
        let name = format!("control: {}", first_stage.name);
        rows.push((name, spoken(&first_stage, judged, device)?));
        generated = Some((despoofed.name.clone(), spoken(&despoofed, judged, device)?));
    }
    for source in [CueSource::MemAe, CueSource::DeepSvdd, CueSource::AnoDdpm] {
        let cues = agfas.cues(source, data, device)?;
        rows.push((cues.name.clone(), spoken(&cues, judged, device)?));
    }
    rows.extend(generated);

    let kinds = AttackKind::ALL.map(AttackKind::name);
    let columns: Vec<&str> = kinds.into_iter().chain(["mean"]).collect();
    let mut table = Comparison::new("AUC in % of cues alone, by kind of attack", &columns);
    let entries = |aucs: Vec<Vec<f64>>| {
        let all = over_kinds(&aucs);
        aucs.into_iter().chain([all]).map(Entry::Percent)
    };
    for (name, spoken) in &rows {
        if let Some(energy) = &spoken.energy {
            let aucs = judged.energy_aucs(energy)?;
            let aucs = aucs.into_iter().map(|auc| vec![auc]).collect();
            table.ours(&format!("{name}: energy"), entries(aucs));
        }
        let people = judged.probe_aucs(&spoken.features, &judged.person_fold)?;
        table.ours(&format!("{name}: probe"), entries(people));
        let domains = judged.probe_aucs(&spoken.features, &judged.domain_fold)?;
        table.ours(&format!("{name}: probe, other domain"), entries(domains));
    }
    table.note(
        "Energy: mean absolute value of the cue, above 50 if attacks have the larger. Probe: ridge \
         regression on means and mean absolute values of 4 x 4 px of the standardised cue (of the image \
         itself for that control), on people it has not seen; `other domain`: on the domain it has not \
         seen. Spread over the four folds, which are no seeds: the reconstructions are trained once.",
    );
    let out = agfas.out.as_ref().map(|out| out.join("cues"));
    table.finish(
        out.as_deref(),
        &[agfas.seed],
        &format!("{agfas:#?}"),
        started,
    )
}

/// Start modes of the generator.
fn starts(arguments: &Arguments) -> Vec<(String, DespoofingConfig)> {
    let steps = arguments.agfas.sampling_steps;
    let noised = arguments.starts.iter().map(|&start| {
        let config = DespoofingConfig::small(start, steps);
        (format!("noised to {start}"), config)
    });
    let pure = DespoofingConfig::small(0, PURE_NOISE_STEPS).with_start(DespoofingStart::PureNoise);
    noised.chain([("pure noise".to_owned(), pure)]).collect()
}

fn start_table(
    arguments: &Arguments,
    data: &Data,
    judged: &Judged,
    started: Instant,
    device: &Device,
) -> Result<(), String> {
    let agfas = &arguments.agfas;
    let generator = agfas
        .despoofing_generator(device)?
        .ok_or("start modes are a generator's")?;
    let recogniser = arguments.identity_weights.as_ref();
    let recogniser = recogniser
        .map(|path| load_recogniser(path, device))
        .transpose()?;
    let columns = [
        "live: dB to input",
        "live: identity",
        "attacks: identity",
        "attacks: dB nearer to live",
        "energy AUC",
        "probe AUC",
        "probe AUC, other domain",
    ];
    let mut table = Comparison::new("De-spoofing by its start", &columns);
    let mut pictures = Pictures::new(judged);
    for (name, config) in starts(arguments) {
        let cues = agfas.despoofed_cues(&name, &generator, config, data)?;
        let despoofed = despoofed_images(&cues, judged, device)?;
        pictures.add(&name, &despoofed, &cues)?;
        let identity = match &recogniser {
            Some(network) => Some(identities(network, judged, &despoofed, device)?),
            None => None,
        };
        let part = |values: &[f64], live: bool| {
            let all = values.iter().zip(&judged.samples);
            let chosen = all.filter(|(_, sample)| sample.label.is_bona_fide() == live);
            mean(&chosen.map(|(value, _)| *value).collect::<Vec<_>>())
        };
        let fidelity: Vec<f64> = despoofed
            .iter()
            .zip(&judged.images)
            .map(|(a, b)| psnr(a, b))
            .collect();
        let of_identity = |live| match &identity {
            Some(values) => Entry::from(format!("{:.3}", part(values, live)).as_str()),
            None => Entry::from("-"),
        };
        let said = spoken(&cues, judged, device)?;
        let energy = judged.energy_aucs(said.energy.as_deref().unwrap_or_default())?;
        let people = judged.probe_aucs(&said.features, &judged.person_fold)?;
        let domains = judged.probe_aucs(&said.features, &judged.domain_fold)?;
        table.ours(
            &name,
            [
                Entry::from(format!("{:.2}", part(&fidelity, true)).as_str()),
                of_identity(true),
                of_identity(false),
                Entry::from(format!("{:+.2}", nearer_to_live(judged, &despoofed)).as_str()),
                Entry::Percent(vec![mean(&energy)]),
                Entry::Percent(over_kinds(&people)),
                Entry::Percent(over_kinds(&domains)),
            ],
        );
    }
    table.note(
        "Identity: cosine of MobileFaceNet's embeddings of input and de-spoofed face. Nearer to live: PSNR \
         of the de-spoofed attack to the live capture of the same person less that of the attack itself. \
         AUCs are means over the kinds of attack.",
    );
    table.grid("despoofed", pictures.grid());
    let out = agfas.out.as_ref().map(|out| out.join("starts"));
    let configuration = format!("{arguments:#?}");
    table.finish(out.as_deref(), &[agfas.seed], &configuration, started)
}

/// The de-spoofed faces that cues were made with.
fn despoofed_images(
    cues: &Cues,
    judged: &Judged,
    device: &Device,
) -> Result<Vec<RgbImage>, String> {
    let samples = judged.samples.iter().zip(&judged.images);
    samples
        .map(|(sample, image)| cues.despoofed(&sample.id, image, device))
        .collect()
}

/// Cosine of the embeddings of each input and its de-spoofed face.
fn identities(
    network: &MobileFaceNet,
    judged: &Judged,
    despoofed: &[RgbImage],
    device: &Device,
) -> Result<Vec<f64>, String> {
    let crop = |image: &RgbImage| {
        let scale = image.width() as f32 / 128.0;
        let landmarks = CANONICAL_LANDMARKS_128.map(|p| p.map(|v| (v + 0.5) * scale - 0.5));
        align_face(image, &landmarks).map_err(|error| error.to_string())
    };
    let mut all = Vec::with_capacity(despoofed.len());
    for (inputs, outputs) in judged.images.chunks(16).zip(despoofed.chunks(16)) {
        let embed = |images: &[RgbImage]| -> Result<Tensor<2>, String> {
            let crops = images.iter().map(crop).collect::<Result<Vec<_>, _>>()?;
            Ok(network.forward(identity_input(&crops, device)))
        };
        let cosine = cosine_similarity(embed(inputs)?, embed(outputs)?);
        all.extend(cosine.into_data().iter::<f64>());
    }
    Ok(all)
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    20.0 * (255.0 / pixel_distance(a, b).max(1e-3)).log10()
}

/// Mean gain of de-spoofed attacks over the attacks in PSNR to the live capture of the same person by
/// the same camera.
fn nearer_to_live(judged: &Judged, despoofed: &[RgbImage]) -> f64 {
    let mut live: BTreeMap<(&str, &str), &RgbImage> = BTreeMap::new();
    for (sample, image) in judged.samples.iter().zip(&judged.images) {
        if sample.label.is_bona_fide() {
            live.insert((&sample.domain, &sample.subject), image);
        }
    }
    let mut gains = Vec::new();
    for ((sample, image), output) in judged.samples.iter().zip(&judged.images).zip(despoofed) {
        let source = live.get(&(sample.domain.as_str(), sample.subject.as_str()));
        if let (false, Some(source)) = (sample.label.is_bona_fide(), source) {
            gains.push(psnr(output, source) - psnr(image, source));
        }
    }
    mean(&gains)
}

/// One person, live and attacked, de-spoofed from every start.
struct Pictures {
    places: Vec<usize>,
    ids: Vec<String>,
    rows: Vec<(String, Vec<RgbImage>)>,
    columns: Vec<String>,
}

impl Pictures {
    fn new(judged: &Judged) -> Self {
        let first = &judged.samples[0];
        let places: Vec<usize> = (0..judged.samples.len())
            .filter(|&at| {
                let sample = &judged.samples[at];
                sample.subject == first.subject && sample.domain == first.domain
            })
            .collect();
        let rows = places
            .iter()
            .map(|&at| {
                let kind = presentation_name(&judged.samples[at]);
                (kind.to_owned(), vec![judged.images[at].clone()])
            })
            .collect();
        Self {
            ids: places
                .iter()
                .map(|&at| judged.samples[at].id.clone())
                .collect(),
            places,
            rows,
            columns: vec!["input".to_owned()],
        }
    }

    fn add(&mut self, name: &str, despoofed: &[RgbImage], cues: &Cues) -> Result<(), String> {
        self.columns.extend([name.to_owned(), "cue".to_owned()]);
        for (place, row) in self.rows.iter_mut().enumerate() {
            row.1.push(despoofed[self.places[place]].clone());
            row.1.push(cues.heat_map(&self.ids[place])?);
        }
        Ok(())
    }

    fn grid(self) -> Grid {
        let rows = self.rows.into_iter();
        Grid::new(
            rows.map(|(name, images)| GridRow::new(&name, images))
                .collect(),
        )
        .with_columns(self.columns)
    }
}
