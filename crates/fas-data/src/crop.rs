//! Where in its photo the image of a sample was.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ManifestProblem;

/// How a face was found and brought from its photo to the image of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crop {
    /// What found the face, for instance `mtcnn`.
    pub detector: String,
    /// Crop pixels a photo pixel.
    pub scale: f64,
    /// From pixels of the photo to pixels of the crop.
    pub to_crop: CropMatrix,
}

/// Rows of a matrix that takes `(x, y, 1)` of the photo to `(x, y)` of the crop, centres of pixels at
/// whole numbers. As text: its six numbers row by row, spaces between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CropMatrix(pub [[f64; 3]; 2]);

impl Crop {
    /// Refuses what would not read back as it is.
    pub(crate) fn check(&self) -> Result<(), ManifestProblem> {
        if self.detector.is_empty() {
            return Err(ManifestProblem::EmptyOption("crop_detector"));
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(ManifestProblem::BadCrop {
                column: "crop_scale",
                found: self.scale.to_string(),
            });
        }
        self.to_crop.check()
    }
}

impl CropMatrix {
    fn check(&self) -> Result<(), ManifestProblem> {
        if self.0.as_flattened().iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(ManifestProblem::BadCrop {
            column: "crop_matrix",
            found: self.to_string(),
        })
    }
}

impl fmt::Display for CropMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.as_flattened().iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            // `{:?}` is the shortest text that parses back to the same number.
            write!(f, "{space}{value:?}")?;
        }
        Ok(())
    }
}

impl FromStr for CropMatrix {
    type Err = ManifestProblem;

    fn from_str(text: &str) -> Result<Self, ManifestProblem> {
        let bad = || ManifestProblem::BadCrop {
            column: "crop_matrix",
            found: text.to_owned(),
        };
        let values: Result<Vec<f64>, _> = text.split(' ').map(str::parse).collect();
        let [a, b, c, d, e, f] = values.map_err(|_| bad())?.try_into().map_err(|_| bad())?;
        let matrix = Self([[a, b, c], [d, e, f]]);
        matrix.check().map_err(|_| bad())?;
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_reads_back_and_others_are_refused() {
        let matrix = CropMatrix([[0.1, -0.25, 3.0], [0.25, 0.1, 1e-9]]);
        let text = matrix.to_string();
        assert_eq!(text, "0.1 -0.25 3.0 0.25 0.1 1e-9");
        assert_eq!(text.parse::<CropMatrix>().unwrap(), matrix);
        for bad in [
            "",
            "1 2 3 4 5",
            "1 2 3 4 5 6 7",
            "1 2 3  4 5 6",
            "1 2 3 4 5 inf",
        ] {
            let error = bad.parse::<CropMatrix>().unwrap_err().to_string();
            assert!(error.contains(&format!("crop_matrix `{bad}`")), "{error}");
        }
    }
}
