//! Manifest: the samples of one or more data sets below one root folder, checked.
//!
//! As a file it is a CSV table (`manifest_file.rs`); the columns are [`Manifest::COLUMNS`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{DataError, Label, ManifestProblem, Sample, Split};

/// Columns of a manifest file, in the order in which it is written: the [`REQUIRED`] first, then the optional.
pub(crate) const HEADER: [&str; 15] = [
    "id",
    "path",
    "label",
    "species",
    "domain",
    "split",
    "subject",
    "video",
    "style",
    "synthetic",
    "quality_score",
    "presenter",
    "crop_detector",
    "crop_scale",
    "crop_matrix",
];

/// Number of columns that every file has.
pub(crate) const REQUIRED: usize = 11;

/// Samples below one root folder. Ids are unique, paths stay below the root, and every style label
/// has one label.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    root: PathBuf,
    samples: Vec<Sample>,
}

/// Number of samples of each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Bona fide samples.
    pub bona_fide: usize,
    /// Attacks of all species.
    pub attack: usize,
}

impl Manifest {
    /// Columns of a manifest file, in the order in which it is written. A file may have them in any
    /// order, but each once and no other; those after `quality_score` may be absent, and are not
    /// written where no sample has them.
    pub const COLUMNS: [&str; 15] = HEADER;

    /// A manifest of `samples` below `root`. The image files are not looked at:
    /// [`check_files`](Self::check_files) does that.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidSample`] for the first sample with an empty field, a duplicate id, a path
    /// that is absolute or has `..`, a quality score that is not finite, or a style label that
    /// another sample uses for another label.
    pub fn new(root: impl Into<PathBuf>, samples: Vec<Sample>) -> Result<Self, DataError> {
        let mut rules = ManifestRules::default();
        for (index, sample) in samples.iter().enumerate() {
            rules
                .check(sample, || format!("sample {index}"))
                .map_err(|source| DataError::InvalidSample {
                    index,
                    id: sample.id.clone(),
                    source,
                })?;
        }
        Ok(Self {
            root: root.into(),
            samples,
        })
    }

    /// A manifest whose samples were checked one by one while they were read.
    pub(crate) fn from_checked(root: PathBuf, samples: Vec<Sample>) -> Self {
        Self { root, samples }
    }

    /// Folder that the paths of the samples are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The samples, in the order of the file.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The samples, without the root.
    pub fn into_samples(self) -> Vec<Sample> {
        self.samples
    }

    /// Path of the image of `sample`, root included.
    pub fn image_path(&self, sample: &Sample) -> PathBuf {
        self.root.join(&sample.path)
    }

    /// Checks that every image file exists and, links followed, lies below the root.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidSample`] for the first sample whose file is missing, is no file, or lies
    /// elsewhere; [`DataError::Io`] if the root cannot be read.
    pub fn check_files(&self) -> Result<(), DataError> {
        let root = canonical_root(&self.root)?;
        for (index, sample) in self.samples.iter().enumerate() {
            check_file(&root, &sample.path).map_err(|source| DataError::InvalidSample {
                index,
                id: sample.id.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// The samples for which `keep` holds, in the same order.
    pub fn filter(&self, keep: impl Fn(&Sample) -> bool) -> Self {
        let samples = self
            .samples
            .iter()
            .filter(|sample| keep(sample))
            .cloned()
            .collect();
        Self {
            root: self.root.clone(),
            samples,
        }
    }

    /// Names of the domains, sorted.
    pub fn domains(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.samples.iter().map(|sample| &sample.domain).collect();
        names.into_iter().cloned().collect()
    }

    /// Style labels, sorted: position in this list is the class index of a style classifier.
    pub fn styles(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.samples.iter().map(|sample| &sample.style).collect();
        names.into_iter().cloned().collect()
    }

    /// The samples of each domain.
    pub fn by_domain(&self) -> BTreeMap<&str, Vec<&Sample>> {
        self.group(|sample| sample.domain.as_str())
    }

    /// The samples of each split.
    pub fn by_split(&self) -> BTreeMap<Split, Vec<&Sample>> {
        self.group(|sample| sample.split)
    }

    /// The samples of each style label.
    pub fn by_style(&self) -> BTreeMap<&str, Vec<&Sample>> {
        self.group(|sample| sample.style.as_str())
    }

    /// Number of bona fide samples and attacks of each domain and split.
    pub fn counts(&self) -> BTreeMap<(&str, Split), ClassCounts> {
        let mut counts = BTreeMap::<_, ClassCounts>::new();
        for sample in &self.samples {
            let count = counts
                .entry((sample.domain.as_str(), sample.split))
                .or_default();
            match sample.label {
                Label::BonaFide => count.bona_fide += 1,
                Label::Attack(_) => count.attack += 1,
            }
        }
        counts
    }

    /// Moves some people from the training to the development split, for data sets that come without
    /// one: about `fraction` of the training subjects, chosen by `seed`, each with all training
    /// samples.
    ///
    /// People are drawn separately among those who appear in the same domains, so that every domain
    /// gets its share and nobody is split; of each such group of at least two, one person or more
    /// moves and one or more stays.
    ///
    /// # Panics
    ///
    /// If `fraction` is outside `(0, 1)`.
    #[must_use]
    pub fn carve_development(mut self, fraction: f64, seed: u64) -> Self {
        assert!(
            fraction > 0.0 && fraction < 1.0,
            "fraction must lie between 0 and 1, but is {fraction}"
        );
        let mut domains_of = BTreeMap::<&str, BTreeSet<&str>>::new();
        for sample in self
            .samples
            .iter()
            .filter(|sample| sample.split == Split::Train)
        {
            domains_of
                .entry(&sample.subject)
                .or_default()
                .insert(&sample.domain);
        }
        let mut groups = BTreeMap::<BTreeSet<&str>, Vec<&str>>::new();
        for (subject, domains) in domains_of {
            groups.entry(domains).or_default().push(subject);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut moved = BTreeSet::new();
        for subjects in groups.values_mut().filter(|subjects| subjects.len() > 1) {
            subjects.shuffle(&mut rng);
            let share = (subjects.len() as f64 * fraction).round() as usize;
            let share = share.clamp(1, subjects.len() - 1);
            moved.extend(
                subjects[..share]
                    .iter()
                    .map(|subject| (*subject).to_owned()),
            );
        }
        for sample in &mut self.samples {
            if sample.split == Split::Train && moved.contains(&sample.subject) {
                sample.split = Split::Development;
            }
        }
        self
    }

    fn group<'a, K: Ord>(&'a self, key: impl Fn(&'a Sample) -> K) -> BTreeMap<K, Vec<&'a Sample>> {
        let mut groups = BTreeMap::<K, Vec<&Sample>>::new();
        for sample in &self.samples {
            groups.entry(key(sample)).or_default().push(sample);
        }
        groups
    }
}

/// The rules that a sample must keep among the samples before it.
#[derive(Default)]
pub(crate) struct ManifestRules {
    ids: HashMap<String, String>,
    styles: HashMap<String, (Label, String)>,
}

impl ManifestRules {
    /// Checks the next sample; `place` says where it stands, for later messages.
    pub(crate) fn check(
        &mut self,
        sample: &Sample,
        place: impl Fn() -> String,
    ) -> Result<(), ManifestProblem> {
        let required = [
            ("id", sample.id.as_str()),
            ("domain", &sample.domain),
            ("subject", &sample.subject),
            ("style", &sample.style),
        ];
        if let Some((name, _)) = required.into_iter().find(|(_, text)| text.is_empty()) {
            return Err(ManifestProblem::EmptyField(name));
        }
        for (name, text) in [("video", &sample.video), ("presenter", &sample.presenter)] {
            if text.as_deref() == Some("") {
                return Err(ManifestProblem::EmptyOption(name));
            }
        }
        if let Some(crop) = &sample.crop {
            crop.check()?;
        }
        if let Some(score) = sample.quality_score.filter(|score| !score.is_finite()) {
            return Err(ManifestProblem::BadQualityScore(score.to_string()));
        }
        check_path(&sample.path)?;
        if let Some(first) = self.ids.get(&sample.id) {
            return Err(ManifestProblem::DuplicateId {
                id: sample.id.clone(),
                first: first.clone(),
            });
        }
        self.ids.insert(sample.id.clone(), place());
        let (label, first) = self
            .styles
            .entry(sample.style.clone())
            .or_insert_with(|| (sample.label, place()));
        if *label != sample.label {
            return Err(ManifestProblem::StyleOfTwoLabels {
                style: sample.style.clone(),
                first_label: *label,
                first: first.clone(),
                label: sample.label,
            });
        }
        Ok(())
    }
}

/// Refuses a path that could lead out of the root, by its text alone.
pub(crate) fn check_path(path: &Path) -> Result<(), ManifestProblem> {
    let Some(text) = path.to_str() else {
        return Err(ManifestProblem::PathNotUnicode(
            path.to_string_lossy().into_owned(),
        ));
    };
    if text.is_empty() {
        return Err(ManifestProblem::EmptyField("path"));
    }
    let leaves = |why| {
        Err(ManifestProblem::PathLeavesRoot {
            path: text.to_owned(),
            why,
        })
    };
    // A backslash is part of a name on one system and a separator on another.
    if text.contains('\\') {
        return leaves("has a backslash, which some systems read as a folder separator");
    }
    for component in path.components() {
        match component {
            Component::Normal(_) | Component::CurDir => {}
            Component::ParentDir => return leaves("has `..`, which can leave the root"),
            Component::RootDir | Component::Prefix(_) => return leaves("is absolute"),
        }
    }
    Ok(())
}

/// The root with every link resolved.
pub(crate) fn canonical_root(root: &Path) -> Result<PathBuf, DataError> {
    // `Path::new("data.csv").parent()` is the empty path, which means the working directory.
    let root = if root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        root
    };
    root.canonicalize().map_err(|source| DataError::Io {
        path: root.to_owned(),
        action: "read the root folder of the manifest",
        source,
    })
}

/// Refuses a file that is missing, is no file, or is a link to a place outside `canonical_root`.
pub(crate) fn check_file(canonical_root: &Path, path: &Path) -> Result<(), ManifestProblem> {
    let joined = canonical_root.join(path);
    let Ok(resolved) = joined.canonicalize() else {
        return Err(ManifestProblem::MissingFile(joined));
    };
    if !resolved.starts_with(canonical_root) {
        return Err(ManifestProblem::PathLeavesRoot {
            path: path.to_string_lossy().into_owned(),
            why: "is a link to a place outside the root",
        });
    }
    if !resolved.is_file() {
        return Err(ManifestProblem::NotAFile(joined));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample;

    fn two_domains() -> Manifest {
        let mut samples = Vec::new();
        for domain in ["sim-C", "sim-I"] {
            for subject in ["anna", "bert", "cleo", "dora"] {
                samples.push(sample(domain, subject, Split::Train, "bona_fide"));
                samples.push(sample(domain, subject, Split::Train, "print"));
            }
            samples.push(sample(domain, "emil", Split::Test, "replay"));
        }
        Manifest::new("data", samples).unwrap()
    }

    #[test]
    fn groups_and_counts() {
        let manifest = two_domains();
        assert_eq!(manifest.domains(), ["sim-C", "sim-I"]);
        assert_eq!(manifest.styles().len(), 6);
        assert_eq!(manifest.styles()[0], "sim-C/bona_fide");
        let counts = manifest.counts();
        assert_eq!(
            counts[&("sim-C", Split::Train)],
            ClassCounts {
                bona_fide: 4,
                attack: 4
            }
        );
        assert_eq!(
            counts[&("sim-I", Split::Test)],
            ClassCounts {
                bona_fide: 0,
                attack: 1
            }
        );
        assert_eq!(manifest.by_domain()["sim-I"].len(), 9);
        assert_eq!(manifest.by_split()[&Split::Test].len(), 2);
        assert_eq!(manifest.by_style()["sim-C/print"].len(), 4);
        let attacks = manifest.filter(|sample| !sample.label.is_bona_fide());
        assert_eq!(attacks.samples().len(), 10);
        assert_eq!(
            attacks.image_path(&attacks.samples()[0]),
            Path::new("data/sim-C/anna_print.png")
        );
    }

    #[test]
    fn rules_name_the_sample() {
        let good = sample("sim-C", "anna", Split::Train, "print");
        let error = Manifest::new("", vec![good.clone(), good.clone()])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "sample 1 (id `sim-C/anna_print_train`): id `sim-C/anna_print_train` is already used by \
             sample 0; ids are unique"
        );
        for (path, why) in [
            ("../x.png", "`..`"),
            ("a/../../x.png", "`..`"),
            ("/x.png", "absolute"),
            ("a\\..\\x.png", "backslash"),
            ("", "`path` is empty"),
        ] {
            let bad = Sample {
                path: path.into(),
                ..good.clone()
            };
            let error = Manifest::new("", vec![bad]).unwrap_err().to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
        let bad = Sample {
            quality_score: Some(f64::NAN),
            ..good.clone()
        };
        assert!(
            Manifest::new("", vec![bad])
                .unwrap_err()
                .to_string()
                .contains("NaN")
        );
        let other = Sample {
            id: "other".into(),
            label: Label::BonaFide,
            ..good.clone()
        };
        let error = Manifest::new("", vec![good, other])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`sim-C/print` stands for print at sample 0, here for bona_fide"),
            "{error}"
        );
    }

    #[test]
    fn development_moves_whole_people() {
        let manifest = two_domains().carve_development(0.25, 7);
        let moved: BTreeSet<&str> = manifest.by_split()[&Split::Development]
            .iter()
            .map(|sample| sample.subject.as_str())
            .collect();
        // Four people are in both domains: one of them moves, with two samples in each.
        assert_eq!(moved.len(), 1);
        assert_eq!(manifest.by_split()[&Split::Development].len(), 4);
        assert_eq!(manifest.by_split()[&Split::Train].len(), 12);
        assert_eq!(manifest.by_split()[&Split::Test].len(), 2);
        assert_eq!(manifest, two_domains().carve_development(0.25, 7));
    }

    #[test]
    #[should_panic(expected = "fraction must lie between 0 and 1, but is 1")]
    fn development_needs_a_fraction() {
        let _ = two_domains().carve_development(1.0, 0);
    }
}
