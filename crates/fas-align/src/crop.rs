//! From a photo and a face to a crop.

use image::RgbImage;

use crate::{AlignError, Face, Geometry, Sampling, Similarity, Warp};

/// A crop and where it comes from.
#[derive(Debug, Clone)]
pub struct AlignedCrop {
    /// The pixels.
    pub image: RgbImage,
    /// From pixels of the photo to pixels of the crop.
    pub to_crop: Similarity,
}

/// Crops `face` out of `photo`.
///
/// For landmarks, the transform is fitted from the landmarks to the template, as AG-FAS, SSDG and
/// ArcFace do, and pixels are read through its inverse. Black outside the photo.
///
/// # Errors
///
/// [`AlignError::NoLandmarks`] or [`AlignError::DegenerateLandmarks`] for a geometry of landmarks,
/// [`AlignError::EmptyBounds`] for a square.
pub fn align(
    photo: &RgbImage,
    face: &Face,
    geometry: &Geometry,
    sampling: Sampling,
) -> Result<AlignedCrop, AlignError> {
    let (to_crop, size) = match geometry {
        Geometry::Landmarks { template, size } => {
            let landmarks = face.landmarks.ok_or(AlignError::NoLandmarks)?;
            let to_crop = Similarity::between(&landmarks, template)
                .ok_or(AlignError::DegenerateLandmarks(landmarks))?;
            (to_crop, *size)
        }
        Geometry::Square { expansion, size } => (square(face.bounds, *expansion, *size)?, *size),
        Geometry::Whole => {
            return Ok(AlignedCrop {
                image: photo.clone(),
                to_crop: Similarity::IDENTITY,
            });
        }
    };
    let warp = Warp {
        to_photo: to_crop.inverse(),
        size: [size; 2],
        sampling,
    };
    Ok(AlignedCrop {
        image: warp.run(photo),
        to_crop,
    })
}

/// Bounds are edges between pixels: `[0, 0, 4, 4]` encloses the pixels 0 to 3, and fills a crop of
/// any size with them.
fn square(bounds: [f32; 4], expansion: f32, size: u32) -> Result<Similarity, AlignError> {
    let [left, top, right, bottom] = bounds.map(f64::from);
    let side = (right - left).max(bottom - top) * f64::from(expansion);
    if !(right > left && bottom > top && side.is_finite()) {
        return Err(AlignError::EmptyBounds(bounds));
    }
    let scale = f64::from(size) / side;
    let offset = |low: f64, high: f64| {
        // (p + 0.5 - corner) * scale - 0.5
        let corner = (low + high - side) / 2.0;
        (0.5 - corner) * scale - 0.5
    };
    Ok(Similarity::scaling(
        scale,
        [offset(left, right), offset(top, bottom)],
    ))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::{ARCFACE_TEMPLATE, Preset};

    fn face(bounds: [f32; 4], landmarks: Option<[[f32; 2]; 5]>) -> Face {
        Face {
            bounds,
            score: 1.0,
            landmarks,
        }
    }

    fn photo() -> RgbImage {
        RgbImage::from_fn(140, 130, |x, y| Rgb([x as u8, y as u8, 9]))
    }

    #[test]
    fn a_face_on_the_template_is_only_cropped() {
        let landmarks = ARCFACE_TEMPLATE.map(|[x, y]| [x + 7.0, y + 3.0]);
        let face = face([0.0; 4], Some(landmarks));
        let geometry = Preset::ArcFace.geometry(112);
        let crop = align(&photo(), &face, &geometry, Sampling::Bilinear).unwrap();
        assert_eq!(crop.image.dimensions(), (112, 112));
        assert_eq!(crop.image.get_pixel(0, 0).0, [7, 3, 9]);
        assert_eq!(crop.image.get_pixel(100, 50).0, [107, 53, 9]);
        let [x, y] = crop.to_crop.apply([7.0, 3.0]);
        assert!(x.abs() < 1e-4 && y.abs() < 1e-4, "{x} {y}");
    }

    #[test]
    fn a_square_stands_around_the_longer_side() {
        // 20 wide, 40 high, centre (50, 60); 1.5 times: 60 px, from (20, 30)
        let face = face([40.0, 40.0, 60.0, 80.0], None);
        let geometry = Geometry::Square {
            expansion: 1.5,
            size: 60,
        };
        let crop = align(&photo(), &face, &geometry, Sampling::Averaged).unwrap();
        assert_eq!(crop.image.get_pixel(0, 0).0, [20, 30, 9]);
        assert_eq!(crop.image.get_pixel(59, 59).0, [79, 89, 9]);
        // At half the size a crop pixel is the mean of 2 x 2.
        let geometry = Geometry::Square {
            expansion: 1.5,
            size: 30,
        };
        let crop = align(&photo(), &face, &geometry, Sampling::Averaged).unwrap();
        assert_eq!(crop.to_crop.scale(), 0.5);
        assert_eq!(crop.image.get_pixel(0, 0).0, [21, 31, 9]); // 20.5 and 30.5, rounded
    }

    #[test]
    fn none_is_the_photo() {
        let crop = align(
            &photo(),
            &face([0.0; 4], None),
            &Geometry::Whole,
            Sampling::default(),
        );
        let crop = crop.unwrap();
        assert_eq!(crop.image, photo());
        assert_eq!(crop.to_crop, Similarity::IDENTITY);
    }

    #[test]
    fn faces_that_fit_no_geometry_are_refused() {
        let landmarks = Preset::AgFas.geometry(256);
        let refuse = |face: Face, geometry: &Geometry| {
            align(&photo(), &face, geometry, Sampling::Bilinear).unwrap_err()
        };
        let error = refuse(face([0.0; 4], Some([[3.0, 3.0]; 5])), &landmarks);
        assert!(
            matches!(error, AlignError::DegenerateLandmarks(_)),
            "{error}"
        );
        let error = refuse(face([0.0, 0.0, 9.0, 9.0], None), &landmarks);
        assert!(matches!(error, AlignError::NoLandmarks), "{error}");
        let square = Preset::Square.geometry(64);
        for bounds in [
            [5.0, 0.0, 5.0, 9.0],
            [9.0, 0.0, 5.0, 9.0],
            [f32::NAN, 0.0, 5.0, 9.0],
        ] {
            let error = refuse(face(bounds, None), &square);
            assert!(matches!(error, AlignError::EmptyBounds(_)), "{error}");
        }
    }
}
