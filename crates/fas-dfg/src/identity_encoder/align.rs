//! Five-point alignment: the similarity transform that brings a face to the ArcFace template.
//!
//! Template: Deng et al. 2019, "ArcFace" (<https://arxiv.org/abs/1801.07698>), the 112 px crop of
//! the authors' released code. Transform: Umeyama 1991, in two dimensions and without reflection.

use image::{Rgb, RgbImage};

use crate::DfgError;

/// Side of the aligned crop, in pixels.
pub const IDENTITY_INPUT_SIZE: u32 = 112;

/// Where left eye, right eye, nose, left and right mouth corner lie in the aligned crop, in pixels
/// (left and right as seen in the image; a pixel's centre has integer coordinates).
pub const ARCFACE_TEMPLATE: [[f32; 2]; 5] = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
];

/// Crop of 112 x 112 px in which the landmarks lie on [`ARCFACE_TEMPLATE`], least squares.
///
/// `landmarks` are in pixels of `photo`, in the template's order and with its convention. Bilinear
/// sampling; black outside the photo. A photo whose face is much wider than 112 px should be
/// reduced first: sampling does not average.
///
/// # Errors
///
/// [`DfgError::DegenerateLandmarks`] if the landmarks are not finite or all coincide.
pub fn align_face(photo: &RgbImage, landmarks: &[[f32; 2]; 5]) -> Result<RgbImage, DfgError> {
    let to_photo = Similarity::between(&ARCFACE_TEMPLATE, landmarks)
        .ok_or(DfgError::DegenerateLandmarks(*landmarks))?;
    let size = IDENTITY_INPUT_SIZE;
    Ok(RgbImage::from_fn(size, size, |x, y| {
        let [u, v] = to_photo.apply([f64::from(x), f64::from(y)]);
        bilinear(photo, u, v)
    }))
}

/// `p -> factor * p + offset`, points taken as complex numbers.
#[derive(Clone, Copy, Debug)]
struct Similarity {
    factor: [f64; 2],
    offset: [f64; 2],
}

impl Similarity {
    /// Least-squares fit of `to[i] = apply(from[i])`; `None` if either set is no proper figure.
    fn between(from: &[[f32; 2]; 5], to: &[[f32; 2]; 5]) -> Option<Self> {
        let (centre_from, centre_to) = (centroid(from), centroid(to));
        // factor = sum(conj(f) t) / sum(|f|^2) over centred points
        let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
        for (f, t) in from.iter().zip(to) {
            let f = [
                f64::from(f[0]) - centre_from[0],
                f64::from(f[1]) - centre_from[1],
            ];
            let t = [
                f64::from(t[0]) - centre_to[0],
                f64::from(t[1]) - centre_to[1],
            ];
            real += f[0] * t[0] + f[1] * t[1];
            imaginary += f[0] * t[1] - f[1] * t[0];
            energy += f[0] * f[0] + f[1] * f[1];
        }
        let factor = [real / energy, imaginary / energy];
        let scale = factor[0].hypot(factor[1]);
        if !scale.is_finite() || scale < 1e-6 {
            return None;
        }
        let turned = multiply(factor, centre_from);
        Some(Self {
            factor,
            offset: [centre_to[0] - turned[0], centre_to[1] - turned[1]],
        })
    }

    fn apply(&self, point: [f64; 2]) -> [f64; 2] {
        let [x, y] = multiply(self.factor, point);
        [x + self.offset[0], y + self.offset[1]]
    }
}

/// Product of complex numbers.
fn multiply(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn centroid(points: &[[f32; 2]; 5]) -> [f64; 2] {
    [0, 1].map(|axis| points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / 5.0)
}

fn bilinear(image: &RgbImage, x: f64, y: f64) -> Rgb<u8> {
    let (left, top) = (x.floor(), y.floor());
    let (fraction_x, fraction_y) = (x - left, y - top);
    let pixel = |dx: f64, dy: f64| -> [f64; 3] {
        let (x, y) = (left + dx, top + dy);
        let inside =
            x >= 0.0 && y >= 0.0 && x < f64::from(image.width()) && y < f64::from(image.height());
        if inside {
            image.get_pixel(x as u32, y as u32).0.map(f64::from)
        } else {
            [0.0; 3]
        }
    };
    let corners = [
        pixel(0.0, 0.0),
        pixel(1.0, 0.0),
        pixel(0.0, 1.0),
        pixel(1.0, 1.0),
    ];
    Rgb(std::array::from_fn(|c| {
        let top = corners[0][c] * (1.0 - fraction_x) + corners[1][c] * fraction_x;
        let bottom = corners[2][c] * (1.0 - fraction_x) + corners[3][c] * fraction_x;
        (top * (1.0 - fraction_y) + bottom * fraction_y).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_similarity_is_recovered() {
        // turn by 90 degrees, scale by 2, shift by (10, -3): p -> 2 i p + (10 - 3 i)
        let to = ARCFACE_TEMPLATE.map(|[x, y]| [-2.0 * y + 10.0, 2.0 * x - 3.0]);
        let fit = Similarity::between(&ARCFACE_TEMPLATE, &to).unwrap();
        assert!(fit.factor[0].abs() < 1e-5 && (fit.factor[1] - 2.0).abs() < 1e-5);
        assert!((fit.offset[0] - 10.0).abs() < 1e-3 && (fit.offset[1] + 3.0).abs() < 1e-3);
    }

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
    fn outside_the_photo_is_black() {
        let photo = RgbImage::from_pixel(60, 60, Rgb([200; 3]));
        let crop = align_face(&photo, &ARCFACE_TEMPLATE).unwrap();
        assert_eq!(crop.get_pixel(30, 30).0, [200; 3]);
        assert_eq!(crop.get_pixel(100, 30).0, [0; 3]);
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
