//! Training faces: read, warped to the mean shape, split into even and odd halves.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::super::appearance::split_halves;
use super::super::raster::Raster;
use super::super::warp::ThinPlateWarp;
use super::super::{FRAME_SHIFT, GEOMETRY_SIZE, Landmarks, MODEL_SIZE, frame_landmarks};
use crate::SimError;

/// Samples a frame pixel has in each direction, against aliasing.
const SUPERSAMPLING: usize = 2;
/// Landmark columns of the index, in the order of [`Landmarks`].
const COLUMNS: [&str; 10] = [
    "leye_x", "leye_y", "reye_x", "reye_y", "nose_x", "nose_y", "lmouth_x", "lmouth_y", "rmouth_x",
    "rmouth_y",
];

/// The training faces in the frame of the components.
pub(super) struct TrainingFaces {
    /// Even half images, `[faces][3 * 64 * 32]`.
    pub(super) even: Vec<Vec<f32>>,
    /// Odd half images.
    pub(super) odd: Vec<Vec<f32>>,
    /// Landmarks in pixels of the 128 px crop, pixel `i` covering `[i, i + 1)`.
    pub(super) landmarks: Vec<Landmarks>,
}

impl TrainingFaces {
    /// Reads every row of split `train`.
    pub(super) fn read(folder: &Path, index: &Path) -> Result<Self, SimError> {
        let rows = read_index(index)?;
        let halves = rows
            .par_iter()
            .map(|(file, landmarks)| {
                let raster = read_crop(&folder.join(file))?;
                Ok(split_halves(&to_frame(&raster, landmarks)))
            })
            .collect::<Result<Vec<_>, SimError>>()?;
        let (even, odd) = halves.into_iter().unzip();
        let landmarks = rows.into_iter().map(|(_, landmarks)| landmarks).collect();
        Ok(Self {
            even,
            odd,
            landmarks,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.even.len()
    }
}

fn read_index(path: &Path) -> Result<Vec<(PathBuf, Landmarks)>, SimError> {
    let fail = |reason: String| SimError::FaceModelFit {
        path: path.to_path_buf(),
        reason,
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| fail(error.to_string()))?;
    let headers = reader
        .headers()
        .map_err(|error| fail(error.to_string()))?
        .clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.ok_or_else(|| fail(format!("it has no column `{name}`")))
    };
    let (file, split) = (column("file")?, column("split")?);
    let coordinates = COLUMNS
        .iter()
        .map(|name| column(name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| fail(error.to_string()))?;
        if &record[split] != "train" {
            continue;
        }
        let mut landmarks = Landmarks::default();
        for (i, &column) in coordinates.iter().enumerate() {
            let value: f32 = record[column]
                .parse()
                .ok()
                .filter(|v: &f32| v.is_finite())
                .ok_or_else(|| {
                    fail(format!(
                        "{}: `{}` is no coordinate",
                        &record[file], &record[column]
                    ))
                })?;
            // The index counts from pixel centres.
            landmarks[i / 2][i % 2] = value + 0.5;
        }
        rows.push((PathBuf::from(&record[file]), landmarks));
    }
    if rows.len() < 2 {
        return Err(fail("it lists fewer than two rows of split `train`".into()));
    }
    Ok(rows)
}

fn read_crop(path: &Path) -> Result<Raster, SimError> {
    let fail = |reason: String| SimError::FaceModelFit {
        path: path.to_path_buf(),
        reason,
    };
    let image = image::open(path)
        .map_err(|error| fail(error.to_string()))?
        .to_rgb8();
    if image.dimensions() != (GEOMETRY_SIZE, GEOMETRY_SIZE) {
        return Err(fail(format!(
            "it is {:?}, not an aligned 128 px crop",
            image.dimensions()
        )));
    }
    let planes = (0..3)
        .flat_map(|channel| image.pixels().map(move |p| f32::from(p.0[channel]) / 255.0))
        .collect();
    Ok(Raster::new(GEOMETRY_SIZE as usize, planes))
}

/// The crop seen in the frame of the components, `[3, 64, 64]`.
fn to_frame(crop: &Raster, landmarks: &Landmarks) -> Vec<f32> {
    let warp = ThinPlateWarp::new(&frame_landmarks(), landmarks, [-FRAME_SHIFT, 0.0]);
    let fine = MODEL_SIZE * SUPERSAMPLING;
    let step = GEOMETRY_SIZE as f32 / fine as f32;
    let plane_len = MODEL_SIZE * MODEL_SIZE;
    let mut image = vec![0.0; 3 * plane_len];
    for y in 0..fine {
        for x in 0..fine {
            let [u, v] = warp.apply([(x as f32 + 0.5) * step, (y as f32 + 0.5) * step]);
            let pixel = y / SUPERSAMPLING * MODEL_SIZE + x / SUPERSAMPLING;
            for (channel, value) in crop.linear(u, v).into_iter().enumerate() {
                image[channel * plane_len + pixel] += value / SUPERSAMPLING.pow(2) as f32;
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_land_on_the_mean_shape() {
        let size = GEOMETRY_SIZE as usize;
        let mut planes = vec![0.0; 3 * size * size];
        let mut landmarks = frame_landmarks();
        landmarks[2] = [70.0, 60.0];
        for y in 58..62 {
            for x in 68..72 {
                planes[y * size + x] = 1.0;
            }
        }
        let frame = to_frame(&Raster::new(size, planes), &landmarks);
        // Centre of mass of the spot, against the nose of the mean shape in frame pixels.
        let red = &frame[..MODEL_SIZE * MODEL_SIZE];
        let mass: f32 = red.iter().sum();
        let x: f32 = red
            .iter()
            .enumerate()
            .map(|(i, v)| v * ((i % MODEL_SIZE) as f32 + 0.5))
            .sum();
        let y: f32 = red
            .iter()
            .enumerate()
            .map(|(i, v)| v * ((i / MODEL_SIZE) as f32 + 0.5))
            .sum();
        let nose = frame_landmarks()[2].map(|v| v / 2.0);
        assert!((x / mass - nose[0]).abs() < 0.3 && (y / mass - nose[1]).abs() < 0.3);
    }

    #[test]
    fn bad_index_rows_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index.csv");
        let header = format!("file,split,{}\n", COLUMNS.join(","));
        std::fs::write(
            &index,
            header.clone() + "a.png,train,1,2,3,4,5,6,7,8,9,oops\n",
        )
        .unwrap();
        let error = read_index(&index).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("oops"), "{error}");
        std::fs::write(&index, header + "a.png,test,1,2,3,4,5,6,7,8,9,10\n").unwrap();
        assert!(
            read_index(&index)
                .unwrap_err()
                .to_string()
                .contains("split `train`")
        );
    }
}
