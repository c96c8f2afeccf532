//! The cascade: pyramid, P-Net, R-Net, O-Net. Zhang et al. 2016, section 2.1.

use std::collections::BTreeMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use fas_align::Face;
use fas_weights::read_weights;
use image::RgbImage;
use rayon::prelude::*;

use crate::area::{Window, resize_area};
use crate::boxes::{Candidate, Overlap, suppress};
use crate::{MtcnnError, ONet, PNet, RNet};

/// Side of P-Net's window, pixels.
const CELL: f32 = 12.0;
/// Pixels between P-Net's windows.
const STRIDE: f32 = 2.0;
/// Candidates that go through R-Net or O-Net together.
const BATCH: usize = 512;
/// Floats of a batch of resized photos at most, 64 MB.
const PYRAMID_FLOATS: usize = 16 << 20;

/// Configuration to create an [`Mtcnn`] with [`init`](MtcnnConfig::init). The defaults are those of
/// `facenet-pytorch`.
#[derive(Config, Debug)]
pub struct MtcnnConfig {
    /// Least probability of a face after P-Net, R-Net and O-Net; in `[0, 1]`.
    #[config(default = "[0.6, 0.7, 0.7]")]
    pub thresholds: [f32; 3],
    /// Ratio of neighbouring levels of the pyramid; in `(0, 1)`.
    #[config(default = 0.709)]
    pub factor: f64,
    /// Side of the smallest face to find, pixels; at least 1.
    #[config(default = 20)]
    pub min_face_size: usize,
}

impl MtcnnConfig {
    /// Initialises the detector on `device`, with random weights; see [`Mtcnn::load_weights`].
    ///
    /// # Panics
    ///
    /// Panics if `factor` is not between 0 and 1 or `min_face_size` is 0.
    pub fn init(&self, device: &Device) -> Mtcnn {
        assert!(
            self.factor > 0.0 && self.factor < 1.0,
            "factor must be between 0 and 1, not {}",
            self.factor
        );
        assert!(self.min_face_size > 0, "min_face_size must be at least 1");
        Mtcnn {
            networks: Networks::new(device),
            config: self.clone(),
            device: device.clone(),
        }
    }

    /// Scales of the pyramid for a photo, from the largest.
    fn scales(&self, width: usize, height: usize) -> Vec<f64> {
        let mut scale = f64::from(CELL) / self.min_face_size as f64;
        let mut side = width.min(height) as f64 * scale;
        let mut scales = Vec::new();
        while side >= f64::from(CELL) {
            scales.push(scale);
            scale *= self.factor;
            side *= self.factor;
        }
        scales
    }
}

/// The three networks, with the prefixes of the weight file.
#[derive(Module, Debug)]
pub(crate) struct Networks {
    pnet: PNet,
    rnet: RNet,
    onet: ONet,
}

impl Networks {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            pnet: PNet::new(device),
            rnet: RNet::new(device),
            onet: ONet::new(device),
        }
    }
}

/// Face detector with five landmarks.
#[derive(Debug, Clone)]
pub struct Mtcnn {
    networks: Networks,
    config: MtcnnConfig,
    device: Device,
}

/// Boxes between the stages for one photo, `[left, top, right, bottom, score]`, best first: for
/// comparison with other implementations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stages {
    /// After P-Net, squared.
    pub proposals: Vec<[f32; 5]>,
    /// After R-Net, squared.
    pub refined: Vec<[f32; 5]>,
}

/// A candidate with what its network said.
type Judged<const N: usize> = (Candidate, [f32; N]);

impl Mtcnn {
    /// Fills the networks from a safetensors file with the names of `facenet-pytorch`, `pnet.`,
    /// `rnet.` and `onet.` before them: what [`save_released`](crate::save_released) writes.
    ///
    /// # Errors
    ///
    /// [`MtcnnError::Weights`] if the file is unreadable or holds another network; then missing,
    /// unused and misshaped tensors are listed together.
    pub fn load_weights(mut self, path: impl AsRef<Path>) -> Result<Self, MtcnnError> {
        let path = path.as_ref();
        self.networks = read_weights(path)?.apply(self.networks, path)?;
        Ok(self)
    }

    /// The three networks.
    pub fn networks(&self) -> (&PNet, &RNet, &ONet) {
        let Networks { pnet, rnet, onet } = &self.networks;
        (pnet, rnet, onet)
    }

    /// The faces of each photo, the largest first. Photos of one size go through the networks
    /// together; sizes may differ, and each photo's faces do not depend on the others.
    pub fn detect(&self, photos: &[RgbImage]) -> Vec<Vec<Face>> {
        let staged = self.detect_staged(photos);
        staged.into_iter().map(|(faces, _)| faces).collect()
    }

    /// [`detect`](Self::detect), with the boxes between the stages.
    pub fn detect_staged(&self, photos: &[RgbImage]) -> Vec<(Vec<Face>, Stages)> {
        let proposals = self.propose(photos);
        let refined = self.refine(photos, &proposals);
        let faces = self.finish(photos, &refined);
        let rows = |candidates: &[Candidate]| -> Vec<[f32; 5]> {
            let row = |c: &Candidate| {
                let [left, top, right, bottom] = c.bounds;
                [left, top, right, bottom, c.score]
            };
            candidates.iter().map(row).collect()
        };
        let stages = proposals.iter().zip(&refined).map(|(p, r)| Stages {
            proposals: rows(p),
            refined: rows(r),
        });
        faces.into_iter().zip(stages).collect()
    }

    /// First stage: every level of the pyramid through P-Net.
    fn propose(&self, photos: &[RgbImage]) -> Vec<Vec<Candidate>> {
        let mut by_size: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for (index, photo) in photos.iter().enumerate() {
            by_size.entry(photo.dimensions()).or_default().push(index);
        }
        let mut found: Vec<Vec<Judged<4>>> = vec![Vec::new(); photos.len()];
        for ((width, height), indices) in by_size {
            let (width, height) = (width as usize, height as usize);
            for scale in self.config.scales(width, height) {
                let size = [height, width].map(|side| (side as f64 * scale + 1.0) as usize);
                let together = (PYRAMID_FLOATS / (3 * size[0] * size[1])).max(1);
                for indices in indices.chunks(together) {
                    let level = self.level(photos, indices, size, scale as f32);
                    for (&index, mut judged) in indices.iter().zip(level) {
                        found[index].append(&mut judged);
                    }
                }
            }
        }
        found
            .into_iter()
            .map(|judged| {
                let proposals = kept(&judged, 0.7, Overlap::Union);
                let regress = |(c, offsets): Judged<4>| c.regressed(offsets, 0.0).squared();
                proposals.into_iter().map(regress).collect()
            })
            .collect()
    }

    /// One level of the pyramid for photos of one size, suppressed among itself.
    fn level(
        &self,
        photos: &[RgbImage],
        indices: &[usize],
        size: [usize; 2],
        scale: f32,
    ) -> Vec<Vec<Judged<4>>> {
        let whole = |photo: &RgbImage| Window {
            left: 0,
            top: 0,
            width: photo.width() as usize,
            height: photo.height() as usize,
        };
        let windows: Vec<_> = indices
            .iter()
            .map(|&i| (&photos[i], whole(&photos[i])))
            .collect();
        let (offsets, probabilities) =
            self.networks
                .pnet
                .forward(resized(&windows, size, &self.device));
        let [batch_size, _, rows, columns] = offsets.dims();
        let (offsets, probabilities) = (values(offsets), values(probabilities));
        let cells = rows * columns;
        (0..batch_size)
            .map(|n| {
                let faces = &probabilities[(2 * n + 1) * cells..][..cells];
                let offsets = &offsets[4 * n * cells..][..4 * cells];
                let threshold = self.config.thresholds[0];
                let judged: Vec<Judged<4>> = faces
                    .iter()
                    .enumerate()
                    .filter(|&(_, &score)| score >= threshold)
                    .map(|(cell, &score)| {
                        let place = [cell % columns, cell / columns].map(|i| STRIDE * i as f32);
                        let low = place.map(|at| ((at + 1.0) / scale).floor());
                        let high = place.map(|at| ((at + CELL) / scale).floor());
                        let bounds = [low[0], low[1], high[0], high[1]];
                        let offsets = std::array::from_fn(|edge| offsets[edge * cells + cell]);
                        (Candidate { bounds, score }, offsets)
                    })
                    .collect();
                kept(&judged, 0.5, Overlap::Union)
            })
            .collect()
    }

    /// Second stage: R-Net on the proposals.
    fn refine(&self, photos: &[RgbImage], proposals: &[Vec<Candidate>]) -> Vec<Vec<Candidate>> {
        let run = |x: Tensor<4>| {
            let (offsets, probabilities) = self.networks.rnet.forward(x);
            Tensor::cat(vec![probabilities, offsets], 1)
        };
        let judged = self.judge::<4>(photos, proposals, 24, self.config.thresholds[1], run);
        judged
            .iter()
            .map(|judged| {
                let refined = kept(judged, 0.7, Overlap::Union);
                let regress = |(c, offsets): Judged<4>| c.regressed(offsets, 1.0).squared();
                refined.into_iter().map(regress).collect()
            })
            .collect()
    }

    /// Third stage: O-Net on the refined proposals.
    fn finish(&self, photos: &[RgbImage], refined: &[Vec<Candidate>]) -> Vec<Vec<Face>> {
        let run = |x: Tensor<4>| {
            let (offsets, landmarks, probabilities) = self.networks.onet.forward(x);
            Tensor::cat(vec![probabilities, offsets, landmarks], 1)
        };
        let judged = self.judge::<14>(photos, refined, 48, self.config.thresholds[2], run);
        judged
            .into_iter()
            .map(|judged| {
                let judged: Vec<Judged<10>> = judged
                    .into_iter()
                    .map(|(candidate, said)| {
                        let (offsets, places) = said.split_at(4);
                        let offsets: [f32; 4] = offsets.try_into().expect("4 offsets");
                        let [left, top, right, bottom] = candidate.bounds;
                        let (width, height) = (right - left + 1.0, bottom - top + 1.0);
                        let landmarks = std::array::from_fn(|i| match i {
                            0..5 => width * places[i] + left - 1.0,
                            _ => height * places[i] + top - 1.0,
                        });
                        (candidate.regressed(offsets, 1.0), landmarks)
                    })
                    .collect();
                let mut faces: Vec<Face> = kept(&judged, 0.7, Overlap::Smaller)
                    .into_iter()
                    .map(|(candidate, landmarks)| Face {
                        bounds: candidate.bounds,
                        score: candidate.score,
                        landmarks: Some(std::array::from_fn(|i| [landmarks[i], landmarks[5 + i]])),
                    })
                    .collect();
                faces.sort_by(|a, b| b.area().total_cmp(&a.area()));
                faces
            })
            .collect()
    }

    /// Sends candidates in `side` x `side` pixels through a network that says two probabilities and
    /// `N` more numbers; returns those above `threshold`. Candidates outside their photo are dropped.
    fn judge<const N: usize>(
        &self,
        photos: &[RgbImage],
        candidates: &[Vec<Candidate>],
        side: usize,
        threshold: f32,
        run: impl Fn(Tensor<4>) -> Tensor<2>,
    ) -> Vec<Vec<Judged<N>>> {
        let mut crops: Vec<(usize, Candidate, Window)> = Vec::new();
        for (index, candidates) in candidates.iter().enumerate() {
            let (width, height) = photos[index].dimensions();
            for &candidate in candidates {
                let pixels = candidate.pixels(width as usize, height as usize);
                if let Some([left, right, top, bottom]) = pixels {
                    let window = Window {
                        left,
                        top,
                        width: right - left,
                        height: bottom - top,
                    };
                    crops.push((index, candidate, window));
                }
            }
        }
        let mut judged = vec![Vec::new(); photos.len()];
        for crops in crops.chunks(BATCH) {
            let windows: Vec<_> = crops.iter().map(|(i, _, w)| (&photos[*i], *w)).collect();
            let said = values(run(resized(&windows, [side, side], &self.device)));
            for ((index, candidate, _), said) in crops.iter().zip(said.chunks_exact(2 + N)) {
                let score = said[1];
                if score > threshold {
                    let bounds = candidate.bounds;
                    let numbers = said[2..].try_into().expect("N numbers");
                    judged[*index].push((Candidate { bounds, score }, numbers));
                }
            }
        }
        judged
    }
}

/// Windows resized to one size, `[windows, 3, height, width]`.
fn resized(windows: &[(&RgbImage, Window)], size: [usize; 2], device: &Device) -> Tensor<4> {
    let len = 3 * size[0] * size[1];
    let mut data = vec![0.0; windows.len() * len];
    data.par_chunks_exact_mut(len)
        .zip(windows)
        .for_each(|(output, (photo, window))| resize_area(photo, *window, size, output));
    Tensor::from_data(
        TensorData::new(data, [windows.len(), 3, size[0], size[1]]),
        device,
    )
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data_as::<f32>()
        .try_to_vec()
        .expect("converted to f32")
}

/// Those that [`suppress`] keeps, best first.
fn kept<const N: usize>(judged: &[Judged<N>], threshold: f32, overlap: Overlap) -> Vec<Judged<N>> {
    let candidates: Vec<Candidate> = judged.iter().map(|(candidate, _)| *candidate).collect();
    suppress(&candidates, threshold, overlap)
        .into_iter()
        .map(|index| judged[index])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pyramid_of_the_reference() {
        // 12 / 20 = 0.6; 512 * 0.6 * 0.709^9 = 13.9, and one level more is 9.8
        let scales = MtcnnConfig::new().scales(640, 512);
        assert_eq!(scales.len(), 10);
        assert!((scales[9] - 0.6 * 0.709_f64.powi(9)).abs() < 1e-12);
        assert!(MtcnnConfig::new().scales(19, 640).is_empty());
    }

    #[test]
    fn photos_smaller_than_a_face_have_none() {
        let mtcnn = MtcnnConfig::new().init(&Device::default());
        let photos = [RgbImage::new(1, 1), RgbImage::new(300, 10)];
        assert_eq!(mtcnn.detect(&photos), [vec![], vec![]]);
        assert_eq!(mtcnn.detect(&[]), Vec::<Vec<Face>>::new());
    }

    #[test]
    #[should_panic(expected = "factor must be between 0 and 1, not 1")]
    fn a_pyramid_that_does_not_shrink_is_refused() {
        let _ = MtcnnConfig::new().with_factor(1.0).init(&Device::default());
    }
}
