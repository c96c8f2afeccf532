//! Which subject goes into which split of which domain.

use std::collections::{BTreeMap, BTreeSet};

use fas_data::Split;
use sha2::{Digest, Sha256};

use crate::{BenchmarkConfig, Face, FacePools, SimError};

/// Subjects with their faces, by domain and split; each subject is in one place.
pub(super) struct Assignment<'a> {
    /// `places[domain][split]` in the order of the configuration and of [`Split::ALL`].
    places: Vec<[Vec<Vec<&'a Face>>; 3]>,
}

impl<'a> Assignment<'a> {
    pub(super) fn new(config: &BenchmarkConfig, faces: FacePools<'a>) -> Result<Self, SimError> {
        let (pools, pool_of_split) = match faces {
            FacePools::Shared(all) => (vec![all], [0; 3]),
            FacePools::BySplit {
                train,
                development,
                test,
            } => (vec![train, development, test], [0, 1, 2]),
        };
        check_disjoint(&pools)?;
        let mut queues = Vec::new();
        for (index, pool) in pools.iter().enumerate() {
            let splits = Split::ALL
                .iter()
                .zip(pool_of_split)
                .filter(|(_, pool)| *pool == index);
            let a_domain: usize = splits.map(|(split, _)| config.split(*split).subjects).sum();
            let needed = a_domain * config.domains.len();
            let subjects = shuffled_subjects(pool, config.seed)?;
            if subjects.len() < needed {
                let (found, domains) = (subjects.len(), config.domains.len());
                return Err(SimError::TooFewSubjects {
                    needed,
                    found,
                    domains,
                });
            }
            queues.push(subjects.into_iter());
        }
        let mut places = Vec::new();
        for _ in &config.domains {
            let mut splits: [Vec<Vec<&Face>>; 3] = Default::default();
            for ((split, pool), place) in Split::ALL.iter().zip(pool_of_split).zip(&mut splits) {
                place.extend(queues[pool].by_ref().take(config.split(*split).subjects));
            }
            places.push(splits);
        }
        Ok(Self { places })
    }

    /// Faces of each subject of a split.
    pub(super) fn subjects(&self, domain: usize, split: Split) -> &[Vec<&'a Face>] {
        let index = Split::ALL.iter().position(|s| *s == split).unwrap_or(0);
        &self.places[domain][index]
    }
}

fn check_disjoint(pools: &[&[Face]]) -> Result<(), SimError> {
    let mut seen = BTreeSet::new();
    for pool in pools {
        let subjects: BTreeSet<&str> = pool.iter().map(|face| face.subject.as_str()).collect();
        if let Some(subject) = subjects.intersection(&seen).next() {
            return Err(SimError::SubjectInTwoPools((*subject).to_owned()));
        }
        seen.extend(subjects);
    }
    Ok(())
}

/// Faces grouped by subject, in an order that depends on the seed and the names alone.
fn shuffled_subjects(pool: &[Face], seed: u64) -> Result<Vec<Vec<&Face>>, SimError> {
    let mut subjects: BTreeMap<&str, Vec<&Face>> = BTreeMap::new();
    for face in pool {
        face.check()?;
        subjects.entry(&face.subject).or_default().push(face);
    }
    let rank = |subject: &str| {
        Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(subject)
            .finalize()
    };
    let mut subjects: Vec<_> = subjects.into_iter().collect();
    subjects.sort_by_cached_key(|(subject, _)| rank(subject));
    Ok(subjects.into_iter().map(|(_, faces)| faces).collect())
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn faces(names: std::ops::Range<usize>) -> Vec<Face> {
        names
            .map(|i| Face::from_aligned(RgbImage::new(32, 32), format!("p{i}")))
            .collect()
    }

    #[test]
    fn every_subject_is_in_one_place() {
        let config = BenchmarkConfig::ocim(3, 1, 2);
        let faces = faces(0..26);
        let assignment = Assignment::new(&config, FacePools::Shared(&faces)).unwrap();
        let mut seen = BTreeSet::new();
        for domain in 0..4 {
            for split in Split::ALL {
                let subjects = assignment.subjects(domain, split);
                assert_eq!(subjects.len(), config.split(split).subjects);
                for faces in subjects {
                    assert!(seen.insert(faces[0].subject.clone()));
                }
            }
        }
        assert_eq!(seen.len(), 24);
    }

    #[test]
    fn order_of_faces_does_not_matter_and_the_seed_does() {
        let config = BenchmarkConfig::ocim(2, 1, 1);
        let names = |faces: &[Face], seed| -> Vec<String> {
            let config = config.clone().with_seed(seed);
            let assignment = Assignment::new(&config, FacePools::Shared(faces)).unwrap();
            let places = assignment.places.iter().flatten().flatten();
            places.map(|faces| faces[0].subject.clone()).collect()
        };
        let forward = faces(0..20);
        let backward: Vec<Face> = forward.iter().rev().cloned().collect();
        assert_eq!(names(&forward, 1), names(&backward, 1));
        assert_ne!(names(&forward, 1), names(&forward, 2));
    }

    #[test]
    fn pools_by_split_are_kept_apart() {
        let config = BenchmarkConfig::ocim(2, 1, 1);
        let (train, development, test) = (faces(0..8), faces(8..12), faces(12..16));
        let pools = FacePools::BySplit {
            train: &train,
            development: &development,
            test: &test,
        };
        let assignment = Assignment::new(&config, pools).unwrap();
        for faces in assignment.subjects(3, Split::Test) {
            assert!(test.contains(faces[0]));
        }
        let pools = FacePools::BySplit {
            train: &train,
            development: &development,
            test: &train,
        };
        let error = Assignment::new(&config, pools).err().unwrap().to_string();
        assert!(error.contains("two splits"), "{error}");
    }

    #[test]
    fn too_few_subjects_are_counted() {
        let faces = faces(0..15);
        let error = Assignment::new(&BenchmarkConfig::ocim(2, 1, 1), FacePools::Shared(&faces))
            .err()
            .unwrap();
        assert!(matches!(
            error,
            SimError::TooFewSubjects {
                needed: 16,
                found: 15,
                domains: 4
            }
        ));
    }
}
