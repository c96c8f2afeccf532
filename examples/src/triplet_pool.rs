//! Simulated triplets to train a generator of attacks on (DiffFAS, section 3.2), and its training.

use burn::tensor::Device;
use fas_data::{AdmittedSamples, LeakageGuard, Sample, Split, TrainingPurpose};
use fas_diffusion::Generator;
use fas_diffusion::training::{TripletBatch, clean_image_error};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    CaptureSettings, Edit, FaceCapture, capture_faces, guard_of_sources, images_to_tensor,
    style_labels, train_style_encoder,
};

/// How the captures of a [`TripletPool`] are made.
#[derive(Debug, Clone, Copy)]
pub struct TripletSettings {
    /// Attacks simulated of each face in each domain, of as many different kinds.
    pub attacks_per_face: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Seed of captures and batches.
    pub seed: u64,
}

/// Simulated captures, and which of them belong together.
#[derive(Debug)]
pub struct TripletPool {
    /// Everything but the held-out triplets.
    samples: Vec<Sample>,
    guard: LeakageGuard,
    live: Vec<RgbImage>,
    attacks: Vec<Attack>,
    by_style: Vec<Vec<usize>>,
    held_out: Vec<[RgbImage; 3]>,
    styles: Vec<String>,
    /// Styles that batches draw more often, and the part of the triplets that are drawn from them alone.
    focus: Option<(Vec<usize>, f64)>,
    seed: u64,
}

#[derive(Debug)]
struct Attack {
    image: RgbImage,
    /// Position among the faces.
    face: usize,
    live: usize,
    style: usize,
}

impl TripletPool {
    /// Captures `faces` in `domains`. The last sixteenth of the faces, 16 at most, is held out.
    ///
    /// # Errors
    ///
    /// A message of the simulator.
    pub fn simulate(
        faces: &[Face],
        domains: &[Domain],
        settings: TripletSettings,
    ) -> Result<Self, String> {
        let kinds = AttackKind::ALL;
        let captures = CaptureSettings {
            purpose: "generator",
            split: Split::Train,
            attacks_per_face: settings.attacks_per_face,
            size: settings.size,
            seed: settings.seed,
        };
        let captured = capture_faces(faces, domains, &captures)?;
        let jobs = (0..domains.len()).flat_map(|d| (0..faces.len()).map(move |f| (d, f)));

        let mut pool = Self {
            samples: Vec::new(),
            guard: guard_of_sources(domains)?,
            live: Vec::new(),
            attacks: Vec::new(),
            by_style: vec![Vec::new(); domains.len() * kinds.len()],
            held_out: Vec::new(),
            styles: style_labels(domains),
            focus: None,
            seed: settings.seed,
        };
        let first_held_out = faces.len() - (faces.len() / 16).clamp(1, 16);
        for ((domain, face), captures) in jobs.zip(captured) {
            for capture in captures {
                let FaceCapture {
                    presentation,
                    image,
                    sample,
                } = capture;
                match presentation {
                    Presentation::BonaFide => {
                        pool.live.push(image);
                        pool.samples.push(sample);
                    }
                    Presentation::Attack(kind) => {
                        let position = kinds.iter().position(|&k| k == kind).expect("one of ALL");
                        let style = domain * kinds.len() + position;
                        if face >= first_held_out {
                            let live = pool.live.last().expect("a bona fide capture comes first");
                            let reference = &pool.attacks[pool.by_style[style][0]].image;
                            let row = [live.clone(), image, reference.clone()];
                            pool.held_out.push(row);
                            continue;
                        }
                        pool.samples.push(sample);
                        pool.by_style[style].push(pool.attacks.len());
                        pool.attacks.push(Attack {
                            image,
                            face,
                            live: pool.live.len() - 1,
                            style,
                        });
                    }
                }
            }
        }
        Ok(pool)
    }

    /// Draws a part `rate` of the triplets from the styles `names` alone: kinds of attack, or whole labels.
    ///
    /// # Errors
    ///
    /// A message if a name is unknown, or `rate` is no part.
    pub fn with_focus(mut self, names: &[String], rate: f64) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("a part of {rate} of the triplets: give 0 to 1"));
        }
        let mut styles = Vec::new();
        for name in names {
            if let Some(style) = self.styles.iter().position(|style| style == name) {
                styles.push(style);
                continue;
            }
            let known = AttackKind::ALL.map(AttackKind::name);
            let kind = known.iter().position(|kind| kind == name);
            let kind = kind.ok_or_else(|| {
                format!(
                    "no kind of attack and no style is called {name:?}; there are {} and {}",
                    known.join(", "),
                    self.styles.join(", ")
                )
            })?;
            styles.extend((kind..self.styles.len()).step_by(AttackKind::ALL.len()));
        }
        self.focus = (!styles.is_empty()).then_some((styles, rate));
        Ok(self)
    }

    /// The training captures, for `purpose`.
    ///
    /// # Errors
    ///
    /// A message if the leakage guard refuses one.
    pub fn admitted(&self, purpose: TrainingPurpose) -> Result<AdmittedSamples, String> {
        self.guard
            .admit(purpose, self.samples.clone())
            .map_err(|error| error.to_string())
    }

    /// Number of bona fide captures.
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Number of attacks.
    pub fn attack_count(&self) -> usize {
        self.attacks.len()
    }

    /// The attacks, each with the position of its face among those that were captured.
    pub fn attacks(&self) -> impl Iterator<Item = (&RgbImage, usize)> {
        self.attacks
            .iter()
            .map(|attack| (&attack.image, attack.face))
    }

    /// The first `count` training pairs of each style as edits: `simulated` is the target that was trained
    /// on, `reference` the next attack of its style.
    pub fn training_edits(&self, count: usize) -> Vec<Edit> {
        let of_styles = self.by_style.iter().enumerate();
        of_styles
            .flat_map(|(style, members)| {
                (0..count.min(members.len())).map(move |at| {
                    let attack = &self.attacks[members[at]];
                    let next = members[(at + 1) % members.len()];
                    Edit {
                        style,
                        person: attack.face,
                        live: self.live[attack.live].clone(),
                        reference: self.attacks[next].image.clone(),
                        simulated: attack.image.clone(),
                    }
                })
            })
            .collect()
    }

    /// Labels of the styles.
    pub fn styles(&self) -> &[String] {
        &self.styles
    }

    /// Root mean square errors of the clean images that `generator` sees in the targets of the held-out faces,
    /// noised to each of `steps`. Pixels in `[-1, 1]`.
    pub fn clean_image_errors<const N: usize>(
        &self,
        generator: &Generator,
        steps: [usize; N],
        device: &Device,
    ) -> [f64; N] {
        steps.map(|t| {
            let mut sum = 0.0;
            for (index, chunk) in self.held_out.chunks(16).enumerate() {
                let column = |k: usize| images_to_tensor(chunk.iter().map(|row| &row[k]), device);
                let batch = TripletBatch {
                    content: column(0),
                    target: column(1),
                    style: column(2),
                    ids: (0..chunk.len()).map(|k| format!("{index}/{k}")).collect(),
                };
                sum += clean_image_error(generator, &batch, t) * chunk.len() as f64;
            }
            (sum / self.held_out.len() as f64).sqrt()
        })
    }

    /// Trains the style encoder of `generator` for `steps` of 32 attacks.
    ///
    /// # Errors
    ///
    /// A message if the training diverges.
    pub fn train_style_encoder(
        &self,
        generator: Generator,
        steps: usize,
        device: &Device,
    ) -> Result<Generator, String> {
        let mut networks = generator.networks().clone();
        networks.style_encoder = train_style_encoder(
            "style encoder",
            networks.style_encoder,
            steps,
            &self.admitted(TrainingPurpose::StyleEncoder)?,
            device,
            |step| {
                let mut random = seeded(self.seed, "style encoder", step);
                (0..32)
                    .map(|_| {
                        let attack = &self.attacks[random.random_range(0..self.attacks.len())];
                        (&attack.image, attack.style)
                    })
                    .collect()
            },
        )?;
        Ok(generator.with_networks(networks))
    }

    /// The triplets of a step: styles uniformly but for a focus, the style image another attack of the same label.
    pub fn batch(&self, batch_size: usize, step: usize, device: &Device) -> TripletBatch {
        let mut random = seeded(self.seed, "triplets", step);
        let mut columns: [Vec<RgbImage>; 3] = Default::default();
        let mut ids = Vec::with_capacity(batch_size);
        for _ in 0..batch_size {
            let style = match &self.focus {
                Some((styles, rate)) if random.random_bool(*rate) => {
                    styles[random.random_range(0..styles.len())]
                }
                _ => random.random_range(0..self.styles.len()),
            };
            let of_style = &self.by_style[style];
            let target = random.random_range(0..of_style.len());
            // A style with one image is its own guide, as any image may be in the released code.
            let other = match of_style.len() {
                1 => target,
                count => (target + random.random_range(1..count)) % count,
            };
            let attack = &self.attacks[of_style[target]];
            let style = &self.attacks[of_style[other]].image;
            // Not mirrored: the angle of a halftone, the turn of a display and the side of a lamp are a style's own.
            columns[0].push(self.live[attack.live].clone());
            columns[1].push(attack.image.clone());
            columns[2].push(style.clone());
            ids.push(format!(
                "attack {} of style {}",
                of_style[target], self.styles[attack.style]
            ));
        }
        let [content, target, style] = columns.map(|images| images_to_tensor(&images, device));
        TripletBatch {
            content,
            target,
            style,
            ids,
        }
    }
}

fn seeded(seed: u64, what: &str, step: usize) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(step as u64).to_le_bytes());
    for (slot, byte) in key[16..].iter_mut().zip(what.bytes()) {
        *slot = byte;
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{People, domains_by_name, tensor_to_images};

    fn pool(attacks_per_face: usize) -> TripletPool {
        let Ok(People::Synthetic(faces)) = People::synthetic(4, 3) else {
            panic!("synthetic people are drawn from the bundled model");
        };
        let domains = domains_by_name(&["sim-C".to_owned(), "sim-I".to_owned()]).unwrap();
        let settings = TripletSettings {
            attacks_per_face,
            size: 32,
            seed: 1,
        };
        TripletPool::simulate(&faces, &domains, settings).unwrap()
    }

    #[test]
    fn a_triplet_is_a_face_its_attack_and_another_of_the_same_style_as_captured() {
        let pool = pool(8);
        let batch = pool.batch(16, 0, &Device::default());
        let [live, target, style] =
            [batch.content, batch.target, batch.style].map(tensor_to_images);
        for ((live, target), style) in live.iter().zip(&target).zip(&style) {
            let find = |image: &RgbImage| pool.attacks.iter().find(|attack| attack.image == *image);
            let (attack, other) = (find(target).unwrap(), find(style).unwrap());
            assert!(pool.live[attack.live] == *live);
            assert_eq!(attack.style, other.style);
            assert_ne!(attack.face, other.face);
        }
    }

    #[test]
    fn a_focus_is_kinds_or_styles() {
        let drawn = |names: &[&str], rate: f64| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let pool = pool(8).with_focus(&names, rate)?;
            let batch = pool.batch(60, 1, &Device::default());
            let mut styles: Vec<String> = batch
                .ids
                .iter()
                .map(|id| id.rsplit(' ').next().unwrap().to_owned())
                .collect();
            styles.sort_unstable();
            styles.dedup();
            Ok::<_, String>(styles)
        };
        let one = ["sim-C/replay_oled"];
        assert_eq!(drawn(&one, 1.0).unwrap(), one);
        let kind = drawn(&["replay_oled"], 1.0).unwrap();
        assert_eq!(kind, ["sim-C/replay_oled", "sim-I/replay_oled"]);
        assert!(drawn(&one, 0.0).unwrap().len() > 8);
        let error = drawn(&["sim-C/oled"], 1.0).unwrap_err();
        assert!(error.contains("\"sim-C/oled\""), "{error}");
        assert!(drawn(&one, 1.5).is_err());
    }
}
