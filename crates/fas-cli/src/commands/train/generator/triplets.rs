//! Pictures of a manifest as training triplets. A step's batch follows from (seed, step), so a training
//! that was stopped sees what it would have seen.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};
use fas_classify::experiment::ImageSet;
use fas_classify::training::picture_batch;
use fas_data::{Manifest, Sample, Triplet, TripletSampler};
use fas_diffusion::training::TripletBatch;
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::CliError;

/// Samples of one split with their pictures.
pub(super) struct Triplets {
    samples: Vec<Sample>,
    images: Vec<Arc<RgbImage>>,
    sampler: TripletSampler,
    unpaired: usize,
    styles: Vec<String>,
    /// Attacks, as positions of samples, with the positions of their styles.
    attacks: Vec<(usize, usize)>,
    seed: u64,
}

impl Triplets {
    /// Reads the pictures of `samples`: the square in the middle, scaled to `size`.
    pub(super) fn read(
        manifest: &Manifest,
        samples: &[Sample],
        size: u32,
        seed: u64,
    ) -> Result<Self, CliError> {
        let (sampler, unpaired) = TripletSampler::pairable(samples)?;
        let part = Manifest::new(manifest.root(), samples.to_vec())?;
        let images = ImageSet::load(&part, size)?;
        let is_attack = |sample: &&Sample| !sample.label.is_bona_fide();
        let mut styles: Vec<String> = samples
            .iter()
            .filter(is_attack)
            .map(|sample| sample.style.clone())
            .collect();
        styles.sort();
        styles.dedup();
        let style = |sample: &Sample| styles.binary_search(&sample.style).expect("listed above");
        let attacks = samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| is_attack(sample))
            .map(|(at, sample)| (at, style(sample)))
            .collect();
        Ok(Self {
            images: images.images().to_vec(),
            samples: samples.to_vec(),
            sampler,
            unpaired: unpaired.len(),
            styles,
            attacks,
            seed,
        })
    }

    /// Number of attacks that are targets.
    pub(super) fn len(&self) -> usize {
        self.sampler.len()
    }

    /// Number of attacks that are style images only.
    pub(super) fn unpaired(&self) -> usize {
        self.unpaired
    }

    /// Labels of the styles, in alphabetical order.
    pub(super) fn styles(&self) -> &[String] {
        &self.styles
    }

    /// Attacks and their styles, drawn evenly.
    pub(super) fn attacks(
        &self,
        count: usize,
        step: usize,
        device: &Device,
    ) -> (Tensor<4>, Tensor<1, Int>) {
        let mut random = self.random(step);
        let drawn = (0..count).map(|_| self.attacks[random.random_range(0..self.attacks.len())]);
        let (images, styles): (Vec<&RgbImage>, Vec<i64>) = drawn
            .map(|(at, style)| (self.images[at].as_ref(), style as i64))
            .unzip();
        let styles = Tensor::from_data(&styles[..], device);
        (picture_batch(&images, device), styles)
    }

    /// The triplets of a step: epochs of all targets one after the other. Not mirrored: the angle of a halftone, the turn
    /// of a display and the side of a lamp are a style's own.
    pub(super) fn batch(&self, batch_size: usize, step: usize, device: &Device) -> TripletBatch {
        let mut columns: [Vec<&RgbImage>; 3] = Default::default();
        let mut ids = Vec::with_capacity(batch_size);
        for triplet in self.triplets(batch_size, step) {
            let shown = [triplet.content, triplet.target, triplet.style];
            for (column, at) in columns.iter_mut().zip(shown) {
                column.push(self.images[at].as_ref());
            }
            ids.push(self.samples[triplet.target].id.clone());
        }
        let [content, target, style] = columns.map(|images| picture_batch(&images, device));
        TripletBatch {
            content,
            target,
            style,
            ids,
        }
    }

    fn triplets(&self, batch_size: usize, step: usize) -> Vec<Triplet> {
        let length = self.sampler.len();
        let first = step * batch_size;
        let epochs = first / length..=(first + batch_size - 1) / length;
        let all = epochs
            .clone()
            .flat_map(|epoch| self.sampler.epoch(self.seed, epoch as u64));
        all.skip(first - epochs.start() * length)
            .take(batch_size)
            .collect()
    }

    fn random(&self, step: usize) -> ChaCha8Rng {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&(step as u64).to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }
}
