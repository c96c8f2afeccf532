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
