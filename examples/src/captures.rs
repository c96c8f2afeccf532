//! Captures in memory: pictures, what is known of them, and their quality.

use std::collections::HashMap;
use std::path::Path;

use fas_data::{Manifest, Sample, center_square, load_rgb, resize};
use fas_quality::Brisque;
use fas_sim::{Benchmark, BenchmarkConfig};
use image::RgbImage;
use rayon::prelude::*;

use crate::{People, progress};

/// Captures of one size with their BRISQUE scores.
#[derive(Debug)]
pub struct Captures {
    images: Vec<RgbImage>,
    manifest: Manifest,
    positions: HashMap<String, usize>,
    size: usize,
}

impl Captures {
    /// Simulates a benchmark on `people`.
    ///
    /// # Errors
    ///
    /// A message, for instance that there are too few people.
    pub fn simulate(config: BenchmarkConfig, people: &People) -> Result<Self, String> {
        let bar = progress("simulating captures", 0);
        let benchmark = Benchmark::generate(config, people.pools(), |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })
        .map_err(|error| error.to_string())?;
        bar.finish_and_clear();
        Self::of_benchmark(benchmark)
    }

    /// The captures of a benchmark.
    ///
    /// # Errors
    ///
    /// A message if its samples make no valid manifest.
    pub fn of_benchmark(benchmark: Benchmark) -> Result<Self, String> {
        let size = benchmark.config().size as usize;
        let samples = benchmark.samples().to_vec();
        Self::new(benchmark.into_images(), samples, size)
    }

    /// Reads the images of a manifest: the middle square of each, resized to `size`.
    ///
    /// # Errors
    ///
    /// A message that names the manifest's line or the image at fault.
    pub fn read(manifest: &Path, size: usize) -> Result<Self, String> {
        let manifest = Manifest::read(manifest).map_err(|error| error.to_string())?;
        let bar = progress("reading images", manifest.samples().len() as u64);
        let images = manifest
            .samples()
            .par_iter()
            .map(|sample| {
                let image = load_rgb(manifest.image_path(sample)).map_err(|e| e.to_string())?;
                bar.inc(1);
                Ok(resize(&center_square(&image), size as u32, size as u32))
            })
            .collect::<Result<Vec<_>, String>>()?;
        bar.finish_and_clear();
        Self::new(images, manifest.into_samples(), size)
    }

    fn new(images: Vec<RgbImage>, mut samples: Vec<Sample>, size: usize) -> Result<Self, String> {
        let scores = Brisque::new().score_many(&images);
        for (sample, score) in samples.iter_mut().zip(scores) {
            // A picture without a score, for instance a blank one, gets no margin from its quality.
            sample.quality_score = score.ok();
        }
        let positions = samples
            .iter()
            .enumerate()
            .map(|(at, sample)| (sample.id.clone(), at))
            .collect();
        Ok(Self {
            images,
            manifest: Manifest::new("", samples).map_err(|error| error.to_string())?,
            positions,
            size,
        })
    }

    /// Side of the pictures in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The samples, BRISQUE included (lower is better), in the order of [`images`](Self::images).
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The pictures.
    pub fn images(&self) -> &[RgbImage] {
        &self.images
    }

    /// The sample at a position.
    pub fn sample(&self, position: usize) -> &Sample {
        &self.manifest.samples()[position]
    }

    /// The picture at a position.
    pub fn image(&self, position: usize) -> &RgbImage {
        &self.images[position]
    }

    /// Position of a sample.
    ///
    /// # Errors
    ///
    /// A message if there is no such sample.
    pub fn position(&self, id: &str) -> Result<usize, String> {
        self.positions
            .get(id)
            .copied()
            .ok_or_else(|| format!("no sample {id}"))
    }

    /// Pictures of `samples`, in order.
    ///
    /// # Errors
    ///
    /// A message if one of them is not among these captures.
    pub fn of(&self, samples: &[Sample]) -> Result<Vec<RgbImage>, String> {
        samples
            .iter()
            .map(|sample| Ok(self.images[self.position(&sample.id)?].clone()))
            .collect()
    }
}
