//! Input face: an sRGB crop with five landmarks, and its frame of reference on a canvas.

use image::RgbImage;

use crate::SimError;
use crate::linear_image::LinearImage;

/// Landmarks of an aligned crop of 128 px, in pixels: left eye, right eye, nose, left and right
/// corner of the mouth (left and right as seen in the image).
pub const CANONICAL_LANDMARKS_128: [[f32; 2]; 5] = [
    [39.1, 39.3],
    [86.3, 39.7],
    [61.9, 66.0],
    [42.5, 86.4],
    [82.3, 86.7],
];

const MINIMUM_SIZE: u32 = 16;

/// A square face crop.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// 8-bit sRGB, square, at least 16 px; 64 to 512 px are useful.
    pub image: RgbImage,
    /// Left eye, right eye, nose, left and right corner of the mouth, in pixels (image left and
    /// right; a pixel's centre has integer coordinates).
    pub landmarks: [[f32; 2]; 5],
    /// Person whose face it is.
    pub subject: String,
}

impl Face {
    /// Face from a crop that is already aligned to [`CANONICAL_LANDMARKS_128`], at any size.
    pub fn from_aligned(image: RgbImage, subject: impl Into<String>) -> Self {
        let scale = image.width() as f32 / 128.0;
        let landmarks = CANONICAL_LANDMARKS_128.map(|p| p.map(|v| (v + 0.5) * scale - 0.5));
        Self {
            image,
            landmarks,
            subject: subject.into(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SimError> {
        let (width, height) = self.image.dimensions();
        let subject = || self.subject.clone();
        if width != height {
            return Err(SimError::NotSquare {
                subject: subject(),
                width,
                height,
            });
        }
        if width < MINIMUM_SIZE {
            return Err(SimError::FaceTooSmall {
                subject: subject(),
                size: width,
                minimum: MINIMUM_SIZE,
            });
        }
        let frame = FaceFrame::new(self, width as f32);
        let span = 0.05 * width as f32;
        let finite = self.landmarks.iter().flatten().all(|v| v.is_finite());
        if !finite || frame.eye_distance < span || frame.eye_mouth < span {
            let landmarks = self.landmarks;
            return Err(SimError::DegenerateLandmarks {
                subject: subject(),
                landmarks,
            });
        }
        Ok(())
    }

    /// Linear-light version on a canvas of the given side.
    pub(crate) fn on_canvas(&self, canvas: usize) -> LinearImage {
        LinearImage::from_srgb(&self.image).resized(canvas, canvas)
    }
}

/// Where the face is on a canvas: the coordinates in which masks and glasses are cut.
///
/// `u` runs along the eyes in units of the eye distance, `v` across them towards the mouth in
/// units of the distance from eyes to mouth; the origin is a chosen point of the face.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaceFrame {
    /// Left and right eye in canvas pixels.
    pub(crate) eyes: [[f32; 2]; 2],
    /// Middle between the eyes, in canvas pixels.
    pub(crate) between_eyes: [f32; 2],
    /// Middle of the face, 55 % of the way from the eyes to the mouth.
    pub(crate) centre: [f32; 2],
    /// Eye distance in canvas pixels.
    pub(crate) eye_distance: f32,
    /// Distance from the middle of the eyes to the middle of the mouth in canvas pixels.
    pub(crate) eye_mouth: f32,
    axis: [f32; 2],
}

impl FaceFrame {
    pub(crate) fn new(face: &Face, canvas: f32) -> Self {
        let scale = canvas / face.image.width() as f32;
        let [left, right, _, mouth_left, mouth_right] =
            face.landmarks.map(|p| p.map(|v| (v + 0.5) * scale));
        let middle = |a: [f32; 2], b: [f32; 2]| [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
        let (eyes, mouth) = (middle(left, right), middle(mouth_left, mouth_right));
        let eye_distance = (right[0] - left[0]).hypot(right[1] - left[1]);
        Self {
            eyes: [left, right],
            between_eyes: eyes,
            centre: [
                0.45 * eyes[0] + 0.55 * mouth[0],
                0.45 * eyes[1] + 0.55 * mouth[1],
            ],
            eye_distance,
            eye_mouth: (mouth[0] - eyes[0]).hypot(mouth[1] - eyes[1]),
            axis: [
                (right[0] - left[0]) / eye_distance,
                (right[1] - left[1]) / eye_distance,
            ],
        }
    }

    /// Offset from `origin` along the eyes and across them (downwards), in canvas pixels.
    pub(crate) fn offset(&self, origin: [f32; 2], x: f32, y: f32) -> [f32; 2] {
        let (dx, dy) = (x - origin[0], y - origin[1]);
        [
            dx * self.axis[0] + dy * self.axis[1],
            dy * self.axis[0] - dx * self.axis[1],
        ]
    }

    /// Face coordinates `(u, v)` about the middle of the face.
    pub(crate) fn coordinates(&self, x: f32, y: f32) -> [f32; 2] {
        let [along, across] = self.offset(self.centre, x, y);
        [along / self.eye_distance, across / self.eye_mouth]
    }

    /// Distance from the nearer eye in units of an ellipse with the given half axes (fractions of
    /// the eye distance): below one inside.
    pub(crate) fn eye_ellipse(&self, x: f32, y: f32, half_width: f32, half_height: f32) -> f32 {
        let distance = |eye: [f32; 2]| {
            let [along, across] = self.offset(eye, x, y);
            (along / (self.eye_distance * half_width))
                .hypot(across / (self.eye_distance * half_height))
        };
        distance(self.eyes[0]).min(distance(self.eyes[1]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An aligned stand-in for a face: skin, dark eyes, red mouth, grey background.
    pub(crate) fn face() -> Face {
        let mut face = Face::from_aligned(RgbImage::new(128, 128), "stand-in");
        for (x, y, pixel) in face.image.enumerate_pixels_mut() {
            let near = |[cx, cy]: [f32; 2], rx: f32, ry: f32| {
                ((x as f32 - cx) / rx).hypot((y as f32 - cy) / ry) < 1.0
            };
            let [left, right, nose, ..] = CANONICAL_LANDMARKS_128;
            let shade = (y / 8) as u8;
            pixel.0 = if near(left, 8.0, 4.0) || near(right, 8.0, 4.0) {
                [60, 40, 30]
            } else if near([62.0, 87.0], 20.0, 5.0) {
                [170, 80, 80]
            } else if near(nose, 42.0, 60.0) {
                [215 - shade, 165 - shade, 140 - shade]
            } else {
                [190, 192, 195]
            };
        }
        face
    }

    #[test]
    fn aligned_landmarks_scale_about_pixel_centres() {
        let face = Face::from_aligned(RgbImage::new(64, 64), "s");
        assert!(
            (face.landmarks[0][0] - 19.3).abs() < 1e-4,
            "{:?}",
            face.landmarks
        );
        let same = Face::from_aligned(RgbImage::new(128, 128), "s");
        assert_eq!(same.landmarks, CANONICAL_LANDMARKS_128);
        let frame = FaceFrame::new(&face, 256.0);
        assert!(
            (frame.eye_distance - 2.0 * 47.2017).abs() < 0.01,
            "{}",
            frame.eye_distance
        );
        let [u, v] = frame.coordinates(frame.eyes[1][0], frame.eyes[1][1]);
        assert!((u - 0.5).abs() < 0.02 && (v + 0.55).abs() < 0.02, "{u} {v}");
    }

    #[test]
    fn bad_faces_are_named() {
        let wide = Face::from_aligned(RgbImage::new(64, 32), "anna");
        assert!(wide.check().unwrap_err().to_string().contains("anna"));
        let tiny = Face::from_aligned(RgbImage::new(1, 1), "bert");
        assert!(matches!(
            tiny.check(),
            Err(SimError::FaceTooSmall { size: 1, .. })
        ));
        let mut odd = Face::from_aligned(RgbImage::new(64, 64), "carl");
        odd.landmarks[0] = odd.landmarks[1];
        assert!(matches!(
            odd.check(),
            Err(SimError::DegenerateLandmarks { .. })
        ));
        odd.landmarks[0] = [f32::NAN, 0.0];
        assert!(matches!(
            odd.check(),
            Err(SimError::DegenerateLandmarks { .. })
        ));
    }
}
