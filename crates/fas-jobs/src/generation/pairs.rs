//! Which live faces meet which style images.

use std::collections::{BTreeMap, BTreeSet};

use fas_data::{AdmittedSamples, LeakageGuard, Manifest, Protocol, Sample, Split, TrainingPurpose};
use sha2::{Digest, Sha256};

use super::{GenerationJobConfig, JobError, Pairing};

/// Live faces and style images of a job.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Manifest with the live faces.
    pub faces: Manifest,
    /// Manifest with the attack images; may be the same.
    pub styles: Manifest,
    /// Domains whose live faces are used; empty for all but the target.
    pub face_domains: Vec<String>,
    /// Domains whose styles are used; empty for all but the target.
    pub style_domains: Vec<String>,
    /// Styles that are used; empty for all of those domains.
    pub only_styles: Vec<String>,
}

/// One picture to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its place in the whole job.
    pub index: usize,
    /// `generated/FACE/STYLE/VARIANT`: of this and the seed comes its noise.
    pub id: String,
    /// Position of the live face among the admitted samples.
    pub face: usize,
    /// Position of the style image among the admitted samples.
    pub style: usize,
}

/// The pairs of a job and the samples they are made of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) faces: Vec<Sample>,
    pub(super) styles: Vec<Sample>,
    pub(super) pairs: Vec<Pair>,
}

impl Sources {
    /// The pairs of the whole job, always in the same order.
    pub(super) fn plan(&self, config: &GenerationJobConfig) -> Result<Plan, JobError> {
        let faces = chosen(&self.faces, &self.face_domains, config, true);
        let mut styles = chosen(&self.styles, &self.style_domains, config, false);
        if !self.only_styles.is_empty() {
            let known: BTreeSet<String> = styles.iter().map(|s| s.style.clone()).collect();
            if let Some(style) = self.only_styles.iter().find(|name| !known.contains(*name)) {
                return Err(JobError::UnknownStyle {
                    style: style.clone(),
                    known: known.into_iter().collect(),
                });
            }
            styles.retain(|sample| self.only_styles.contains(&sample.style));
        }
        let nothing = |faces: &[Sample], styles: &[Sample]| JobError::NoPairs {
            pairing: config.pairing,
            faces: faces.len(),
            face_domains: domains(faces),
            styles: styles.len(),
            style_domains: domains(styles),
        };
        if faces.is_empty() || styles.is_empty() {
            return Err(nothing(&faces, &styles));
        }
        let faces = admit(faces, &styles, config)?;
        let styles = admit(styles, &faces, config)?;
        let pairs = pairs(&faces, &styles, config);
        if pairs.is_empty() {
            return Err(nothing(&faces, &styles));
        }
        Ok(Plan {
            faces,
            styles,
            pairs,
        })
    }
}

/// The training samples of one label, in the order of their ids.
fn chosen(
    manifest: &Manifest,
    domains: &[String],
    config: &GenerationJobConfig,
    bona_fide: bool,
) -> Vec<Sample> {
    let wanted = |sample: &&Sample| {
        let named = domains.contains(&sample.domain);
        let target = config.target.as_ref() == Some(&sample.domain);
        sample.label.is_bona_fide() == bona_fide
            && sample.split == Split::Train
            && (named || domains.is_empty() && !target)
    };
    let mut samples: Vec<Sample> = manifest.samples().iter().filter(wanted).cloned().collect();
    samples.sort_by(|a, b| a.id.cmp(&b.id));
    samples
}

/// What the guard lets through: an error if a domain that was named is the target.
fn admit(
    samples: Vec<Sample>,
    others: &[Sample],
    config: &GenerationJobConfig,
) -> Result<Vec<Sample>, JobError> {
    let target = config.target.as_deref().unwrap_or("any other domain");
    let all = domains(samples.iter().chain(others));
    let sources: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|domain| *domain != target)
        .collect();
    let guard = LeakageGuard::new(&Protocol::cross_domain(&sources, target)?);
    let admitted: AdmittedSamples = guard.admit(TrainingPurpose::StylePool, samples)?;
    Ok(admitted.for_purpose(TrainingPurpose::StylePool)?.to_vec())
}

fn domains<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<String> {
    let names: BTreeSet<&String> = samples.into_iter().map(|s| &s.domain).collect();
    names.into_iter().cloned().collect()
}

fn pairs(faces: &[Sample], styles: &[Sample], config: &GenerationJobConfig) -> Vec<Pair> {
    let mut by_style = BTreeMap::<(&str, &str), Vec<usize>>::new();
    for (position, sample) in styles.iter().enumerate() {
        let key = (sample.domain.as_str(), sample.style.as_str());
        by_style.entry(key).or_default().push(position);
    }
    // A person of a domain is one face of cross-domain pairs, whichever picture shows them.
    let mut groups = BTreeMap::<(&str, &str), Vec<usize>>::new();
    for (position, sample) in faces.iter().enumerate() {
        let name = match config.pairing {
            Pairing::CrossDomain => sample.subject.as_str(),
            Pairing::CrossAttack => sample.id.as_str(),
        };
        let key = (sample.domain.as_str(), name);
        groups.entry(key).or_default().push(position);
    }
    let mut pairs = Vec::new();
    for ((face_domain, _), members) in &groups {
        for ((style_domain, style), images) in &by_style {
            let same = face_domain == style_domain;
            if same != (config.pairing == Pairing::CrossAttack) {
                continue;
            }
            for variant in 0..config.variants {
                let face = members[variant % members.len()];
                let id = format!("generated/{}/{style}/{variant}", faces[face].id);
                let first = draw(config.seed, &faces[face].id, style) % images.len() as u64;
                pairs.push(Pair {
                    index: pairs.len(),
                    face,
                    style: images[(first as usize + variant) % images.len()],
                    id,
                });
            }
        }
    }
    pairs
}

/// A number of a seed and two names, the same on every machine.
fn draw(seed: u64, face: &str, style: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for name in [face, style] {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use fas_data::{Label, PaiSpecies};
    use fas_diffusion::{DdimConfig, GenerationConfig};

    use super::*;

    fn sample(domain: &str, subject: &str, take: usize, attack: Option<PaiSpecies>) -> Sample {
        let kind = attack.map_or("live", PaiSpecies::name);
        Sample {
            id: format!("{domain}/{subject}/{kind}/{take}"),
            path: format!("{domain}/{subject}_{kind}_{take}.png").into(),
            label: attack.map_or(Label::BonaFide, Label::Attack),
            domain: domain.to_owned(),
            split: Split::Train,
            subject: subject.to_owned(),
            video: None,
            style: format!("{domain}/{kind}"),
            synthetic: true,
            quality_score: None,
            presenter: None,
            crop: None,
        }
    }

    fn sources() -> Sources {
        let mut samples = Vec::new();
        for (domain, people) in [("a", ["p", "q"]), ("b", ["r", "s"]), ("t", ["u", "v"])] {
            for person in people {
                for take in 0..2 {
                    samples.push(sample(domain, person, take, None));
                    samples.push(sample(domain, person, take, Some(PaiSpecies::Print)));
                    samples.push(sample(domain, person, take, Some(PaiSpecies::Replay)));
                }
            }
        }
        let mut tested = sample("a", "w", 0, None);
        tested.split = Split::Test;
        samples.push(tested);
        let manifest = Manifest::new("", samples).unwrap();
        Sources {
            faces: manifest.clone(),
            styles: manifest,
            face_domains: Vec::new(),
            style_domains: Vec::new(),
            only_styles: Vec::new(),
        }
    }

    fn config() -> GenerationJobConfig {
        GenerationJobConfig::new(GenerationConfig::new(DdimConfig::new(10).into()))
            .with_target(Some("t".to_owned()))
    }

    #[test]
    fn cross_domain_is_every_person_in_every_style_of_the_others() {
        let plan = sources().plan(&config()).unwrap();
        // Two people of a in the two styles of b, and the reverse; nothing of t or of the test split.
        assert_eq!(plan.pairs.len(), 2 * 2 + 2 * 2);
        for (index, pair) in plan.pairs.iter().enumerate() {
            assert_eq!(pair.index, index);
            let (face, style) = (&plan.faces[pair.face], &plan.styles[pair.style]);
            assert_ne!(face.domain, style.domain);
            assert_eq!(pair.id, format!("generated/{}/{}/0", face.id, style.style));
        }
        let ids: BTreeSet<&String> = plan.pairs.iter().map(|pair| &pair.id).collect();
        assert_eq!(ids.len(), 8);
        assert_eq!(plan.pairs, sources().plan(&config()).unwrap().pairs);
    }

    #[test]
    fn cross_attack_is_every_face_in_every_style_of_its_domain() {
        let config = config().with_pairing(Pairing::CrossAttack).with_variants(2);
        let plan = sources().plan(&config).unwrap();
        assert_eq!(plan.pairs.len(), 8 * 2 * 2);
        for pair in &plan.pairs {
            assert_eq!(plan.faces[pair.face].domain, plan.styles[pair.style].domain);
        }
        // Variants take other style images.
        assert_ne!(plan.pairs[0].style, plan.pairs[1].style);
    }

    #[test]
    fn the_target_is_refused_by_name_and_left_out_otherwise() {
        let mut named = sources();
        named.style_domains = vec!["a".to_owned(), "t".to_owned()];
        let error = named.plan(&config()).unwrap_err().to_string();
        assert!(error.contains("its domain is the target"), "{error}");
        let whole = sources().plan(&config().with_target(None)).unwrap();
        assert_eq!(whole.pairs.len(), 6 * 4);
    }

    #[test]
    fn what_cannot_be_paired_says_why() {
        let mut alone = sources();
        alone.face_domains = vec!["a".to_owned()];
        alone.style_domains = vec!["a".to_owned()];
        let error = alone.plan(&config()).unwrap_err().to_string();
        let expected = "4 live faces of the domains [\"a\"] and 8 attack images of [\"a\"]";
        assert!(error.contains(expected), "{error}");
        let mut unknown = sources();
        unknown.only_styles = vec!["a/mask".to_owned()];
        let error = unknown.plan(&config()).unwrap_err().to_string();
        assert!(
            error.contains("the style \"a/mask\"; there are [\"a/print\""),
            "{error}"
        );
        let mut one = sources();
        one.only_styles = vec!["b/print".to_owned()];
        assert_eq!(one.plan(&config()).unwrap().pairs.len(), 2);
    }
}
