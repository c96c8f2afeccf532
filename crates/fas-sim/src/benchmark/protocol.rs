//! Protocols on a benchmark: leave-one-out, limited sources, seen and unseen attacks within a domain
//! or across them, one domain to another, and factor shifts.

use std::collections::BTreeSet;

use fas_data::{HeldOut, Protocol};

use crate::{AttackKind, Benchmark, SimError};

/// Protocols that move one factor at a time: train on the first domain of a 2 x 2 grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorShifts {
    /// Same style, same quality: other subjects only.
    pub none: Protocol,
    /// Same style, another camera.
    pub quality: Protocol,
    /// Other light and instruments, same camera.
    pub style: Protocol,
    /// Both.
    pub both: Protocol,
}

impl Benchmark {
    fn domain_names(&self) -> Vec<&str> {
        self.config
            .domains
            .iter()
            .map(|entry| entry.domain.name.as_str())
            .collect()
    }

    /// One protocol a domain: train on the others, test on it (`OCI->M`, …).
    ///
    /// # Errors
    ///
    /// [`SimError::Data`] with fewer than two domains.
    pub fn leave_one_out(&self) -> Result<Vec<Protocol>, SimError> {
        Ok(Protocol::leave_each_out(&self.domain_names())?)
    }

    /// Train on `sources` alone and test on each of the other domains (`MI->C` and `MI->O` with
    /// sources M and I).
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownDomain`] for a source that the benchmark does not have,
    /// [`SimError::Data`] for no source or one named twice.
    pub fn limited_source(&self, sources: &[&str]) -> Result<Vec<Protocol>, SimError> {
        let names = self.domain_names();
        if let Some(unknown) = sources.iter().find(|source| !names.contains(source)) {
            return Err(SimError::UnknownDomain((*unknown).to_owned()));
        }
        let targets = names.into_iter().filter(|name| !sources.contains(name));
        targets
            .map(|target| Ok(Protocol::cross_domain(sources, target)?))
            .collect()
    }

    /// Leave `target` out and, in turn, each kind of attack that it has: trained on the other
    /// domains without the kind, tested on the target's bona fide samples and that kind.
    ///
    /// # Errors
    ///
    /// [`SimError::Data`] for a target that the benchmark does not have.
    pub fn unseen_attacks(&self, target: &str) -> Result<Vec<Protocol>, SimError> {
        let protocol = Protocol::leave_one_out(&self.domain_names(), target)?;
        let kinds: BTreeSet<AttackKind> = self
            .config
            .domains
            .iter()
            .filter(|entry| entry.domain.name == target)
            .flat_map(|entry| entry.kinds.iter().copied())
            .collect();
        let hold_out = |kind: AttackKind| {
            protocol
                .clone()
                .with_held_out(HeldOut::Style(kind.name().into()))
        };
        Ok(kinds.into_iter().map(hold_out).collect())
    }

    /// All attacks of `domain`, seen in training: WMCA's "grandtest".
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownDomain`] for a domain that the benchmark does not have.
    pub fn seen_attacks(&self, domain: &str) -> Result<Protocol, SimError> {
        self.kinds_of(domain)?;
        Ok(Protocol::intra(domain))
    }

    /// Within `domain`, hold out in turn each kind of attack that it has: the leave-one-attack-out
    /// protocols of WMCA. Training and development have the other kinds, the test has bona fide
    /// samples and the kind.
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownDomain`] for a domain that the benchmark does not have.
    pub fn unseen_attacks_within(&self, domain: &str) -> Result<Vec<Protocol>, SimError> {
        let kinds: BTreeSet<AttackKind> = self.kinds_of(domain)?.iter().copied().collect();
        Ok(kinds
            .into_iter()
            .map(|kind| Protocol::intra(domain).with_held_out(HeldOut::Style(kind.name().into())))
            .collect())
    }

    /// Train on `source` alone and test on `target`, as between WMCA and PADISI.
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownDomain`] for a domain that the benchmark does not have,
    /// [`SimError::Data`] if they are one.
    pub fn cross_dataset(&self, source: &str, target: &str) -> Result<Protocol, SimError> {
        self.kinds_of(source)?;
        self.kinds_of(target)?;
        Ok(Protocol::cross_domain(&[source], target)?)
    }

    fn kinds_of(&self, domain: &str) -> Result<&[AttackKind], SimError> {
        let mut entries = self.config.domains.iter();
        entries
            .find(|entry| entry.domain.name == domain)
            .map(|entry| entry.kinds.as_slice())
            .ok_or_else(|| SimError::UnknownDomain(domain.to_owned()))
    }

    /// Protocols of a benchmark made with [`factor_grid`](crate::BenchmarkConfig::factor_grid),
    /// `None` for any other.
    ///
    /// # Errors
    ///
    /// [`SimError::Data`] if two domains have one name.
    pub fn factor_shifts(&self) -> Result<Option<FactorShifts>, SimError> {
        let [a, quality_shift, style_shift, b] = self.config.domains.as_slice() else {
            return Ok(None);
        };
        let [a, quality_shift, style_shift, b] = [
            &a.domain,
            &quality_shift.domain,
            &style_shift.domain,
            &b.domain,
        ];
        let is_grid = quality_shift.style == a.style
            && quality_shift.quality == b.quality
            && style_shift.style == b.style
            && style_shift.quality == a.quality;
        if !is_grid {
            return Ok(None);
        }
        Ok(Some(FactorShifts {
            none: Protocol::intra(&a.name),
            quality: Protocol::cross_domain(&[&a.name], &quality_shift.name)?,
            style: Protocol::cross_domain(&[&a.name], &style_shift.name)?,
            both: Protocol::cross_domain(&[&a.name], &b.name)?,
        }))
    }
}
