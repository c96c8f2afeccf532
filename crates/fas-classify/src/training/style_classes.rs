//! Style labels as class numbers (DiffFAS, section 3.4: one class a spoofing style).

use std::collections::BTreeSet;

use burn::config::Config;
use fas_data::Sample;

use crate::ClassifyError;
use crate::error::TrainingSetProblem;

/// Which samples share a class.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum ClassLayout {
    /// One class a style label, bona fide styles too: DiffFAS's released pair lists.
    PerStyle,
    /// One class for all bona fide samples, one a style of attack.
    MergedBonaFide,
    /// Two classes: bona fide and attack (SSDG).
    Binary,
}

/// The classes of a training set: bona fide ones first, each kind in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyleClasses {
    layout: ClassLayout,
    names: Vec<String>,
    num_bona_fide: usize,
}

impl StyleClasses {
    /// Classes of `samples`.
    pub fn of(samples: &[Sample], layout: ClassLayout) -> Self {
        let styles = |bona_fide: bool| {
            let styles: BTreeSet<String> = samples
                .iter()
                .filter(|sample| sample.label.is_bona_fide() == bona_fide)
                .map(|sample| class_name(sample, layout))
                .collect();
            styles.into_iter().collect::<Vec<_>>()
        };
        let bona_fide = styles(true);
        Self {
            layout,
            num_bona_fide: bona_fide.len(),
            names: [bona_fide, styles(false)].concat(),
        }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many of them are bona fide.
    pub fn num_bona_fide(&self) -> usize {
        self.num_bona_fide
    }

    /// Names by class number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Class of a sample, `None` for a style that has none.
    pub fn class_of(&self, sample: &Sample) -> Option<usize> {
        let name = class_name(sample, self.layout);
        let (bona_fide, attacks) = self.names.split_at(self.num_bona_fide);
        if sample.label.is_bona_fide() {
            bona_fide.binary_search(&name).ok()
        } else {
            let at = attacks.binary_search(&name).ok()?;
            Some(self.num_bona_fide + at)
        }
    }

    /// Classes of samples.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::TrainingSet`], which names the sample and its style, for a style without a class.
    pub fn numbers_of(&self, samples: &[Sample]) -> Result<Vec<usize>, ClassifyError> {
        let number = |sample: &Sample| {
            self.class_of(sample).ok_or_else(|| {
                ClassifyError::TrainingSet(TrainingSetProblem::UnknownStyle {
                    id: sample.id.clone(),
                    style: sample.style.clone(),
                })
            })
        };
        samples.iter().map(number).collect()
    }
}

fn class_name(sample: &Sample, layout: ClassLayout) -> String {
    let merged = match layout {
        ClassLayout::PerStyle => false,
        ClassLayout::MergedBonaFide => sample.label.is_bona_fide(),
        ClassLayout::Binary => true,
    };
    if merged {
        sample.label.class_name().to_owned()
    } else {
        sample.style.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn bona_fide_classes_come_first_in_every_layout() {
        let samples = [
            sample(0, "b", 1, false),
            sample(1, "b", 0, false),
            sample(2, "a", 0, false),
            sample(3, "a", 1, false),
        ];
        let classes = |layout| {
            let classes = StyleClasses::of(&samples, layout);
            let numbers: Vec<usize> = samples
                .iter()
                .map(|s| classes.class_of(s).unwrap())
                .collect();
            (classes.names().to_vec(), classes.num_bona_fide(), numbers)
        };
        let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            classes(ClassLayout::PerStyle),
            (names(&["a/0", "b/0", "a/1", "b/1"]), 2, vec![3, 1, 0, 2])
        );
        assert_eq!(
            classes(ClassLayout::MergedBonaFide),
            (names(&["bona_fide", "a/1", "b/1"]), 1, vec![2, 0, 0, 1])
        );
        assert_eq!(
            classes(ClassLayout::Binary),
            (names(&["bona_fide", "attack"]), 1, vec![1, 0, 0, 1])
        );
        let unknown = sample(4, "c", 1, false);
        let known = StyleClasses::of(&samples, ClassLayout::PerStyle);
        assert_eq!(known.class_of(&unknown), None);
    }
}
