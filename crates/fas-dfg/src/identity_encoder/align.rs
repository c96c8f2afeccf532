//! Five-point alignment of identity encoders: ArcFace's crop of 112 px, by `fas-align`.

use fas_align::{Face, Preset, Sampling, align};
use image::RgbImage;

use crate::DfgError;

/// Side of the aligned crop, in pixels.
pub const IDENTITY_INPUT_SIZE: u32 = 112;

/// Crop of 112 x 112 px in which the landmarks lie on [`fas_align::ARCFACE_TEMPLATE`], least squares.
///
/// `landmarks` are left eye, right eye, nose, left and right corner of the mouth in pixels of `photo`
/// (left and right as seen in the image; a pixel's centre has integer coordinates). Bilinear
/// sampling; black outside the photo. A photo whose face is much wider than 112 px should be reduced
/// first: sampling does not average.
///
/// # Errors
///
/// [`DfgError::DegenerateLandmarks`] if the landmarks are not finite or all coincide.
pub fn align_face(photo: &RgbImage, landmarks: &[[f32; 2]; 5]) -> Result<RgbImage, DfgError> {
    let face = Face {
        bounds: [0.0; 4],
        score: 1.0,
        landmarks: Some(*landmarks),
    };
    let geometry = Preset::ArcFace.geometry(IDENTITY_INPUT_SIZE);
    // The one thing that can be wrong with landmarks that are there.
    let crop = align(photo, &face, &geometry, Sampling::Bilinear)
        .map_err(|_| DfgError::DegenerateLandmarks(*landmarks))?;
    Ok(crop.image)
}

#[cfg(test)]
mod tests {
    use fas_align::ARCFACE_TEMPLATE;
    use image::Rgb;

    use super::*;

    #[test]
    fn a_face_on_the_template_is_only_cropped() {
        let photo = RgbImage::from_fn(140, 130, |x, y| Rgb([x as u8, y as u8, 9]));
        let landmarks = ARCFACE_TEMPLATE.map(|[x, y]| [x + 7.0, y + 3.0]);
        let crop = align_face(&photo, &landmarks).unwrap();
        assert_eq!(crop.dimensions(), (112, 112));
        assert_eq!(crop.get_pixel(0, 0).0, [7, 3, 9]);
        assert_eq!(crop.get_pixel(100, 50).0, [107, 53, 9]);
    }

    #[test]
    fn landmarks_without_extent_are_refused() {
        let photo = RgbImage::new(8, 8);
        for landmarks in [[[3.0, 3.0]; 5], [[f32::NAN, 1.0]; 5]] {
            let error = align_face(&photo, &landmarks).unwrap_err();
            assert!(matches!(error, DfgError::DegenerateLandmarks(_)));
        }
    }
}
