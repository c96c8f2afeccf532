//! The canvas, and where a flat medium (sheet or display) lies on it.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::random::Stream;

/// Canvas on which a scene is composed, finer than the sensor that will capture it.
///
/// Lengths in the style profiles are in units `u`: one 64th of the width of the face crop, about
/// 2.7 mm on a life-size face, and one sensor pixel of a 64 px capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Canvas pixels a side.
    pub(crate) size: usize,
    /// Canvas pixels a sensor pixel.
    pub(crate) per_pixel: usize,
}

impl Canvas {
    /// At least 4 canvas pixels a sensor pixel, and at least 256 in all: halftone dots and the
    /// fundamentals of a display's pixel grid are then above two samples a period.
    pub(crate) fn for_capture(size: u32) -> Self {
        let per_pixel = 256usize.div_ceil(size as usize).max(4);
        Self {
            size: size as usize * per_pixel,
            per_pixel,
        }
    }

    /// Canvas pixels in one unit `u`.
    pub(crate) fn unit(&self) -> f32 {
        self.size as f32 / 64.0
    }
}

/// Ranges of the pose of a flat medium before the camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementConfig {
    /// Rotation about the viewing axis in radians.
    pub rotation: Interval,
    /// Relative change of distance from the middle to an edge (perspective), for each axis.
    pub tilt: Interval,
    /// Size relative to the original crop.
    pub scale: Interval,
    /// Shift along each axis in `u`.
    pub shift: Interval,
}

/// Pose of one sample's medium: a homography about the middle of the canvas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    half: f32,
    cos: f32,
    sin: f32,
    tilt: [f32; 2],
    shift: [f32; 2],
}

impl PlacementConfig {
    pub(crate) fn draw(&self, canvas: Canvas, stream: &mut Stream) -> Placement {
        let (sin, cos) = self.rotation.draw(stream).sin_cos();
        let tilt = [self.tilt.draw(stream), self.tilt.draw(stream)];
        let scale = self.scale.draw(stream);
        let shift = [self.shift.draw(stream), self.shift.draw(stream)];
        Placement {
            half: 0.5 * canvas.size as f32,
            cos: cos / scale,
            sin: sin / scale,
            tilt: tilt.map(|t| 2.0 * t / canvas.size as f32),
            shift: shift.map(|s| s * canvas.unit()),
        }
    }
}

impl Placement {
    /// Medium coordinates of the centre of canvas pixel `(x, y)`: canvas pixels from the medium's
    /// middle.
    pub(crate) fn to_medium(self, x: usize, y: usize) -> [f32; 2] {
        let dx = x as f32 + 0.5 - self.half - self.shift[0];
        let dy = y as f32 + 0.5 - self.half - self.shift[1];
        let depth = 1.0 / (1.0 + self.tilt[0] * dx + self.tilt[1] * dy);
        [
            (self.cos * dx + self.sin * dy) * depth,
            (self.cos * dy - self.sin * dx) * depth,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvas_is_four_times_the_capture_and_at_least_256() {
        assert_eq!(
            Canvas::for_capture(64),
            Canvas {
                size: 256,
                per_pixel: 4
            }
        );
        assert_eq!(
            Canvas::for_capture(128),
            Canvas {
                size: 512,
                per_pixel: 4
            }
        );
        assert_eq!(
            Canvas::for_capture(32),
            Canvas {
                size: 256,
                per_pixel: 8
            }
        );
        assert_eq!(
            Canvas::for_capture(48),
            Canvas {
                size: 288,
                per_pixel: 6
            }
        );
        assert_eq!(Canvas::for_capture(128).unit(), 8.0);
    }

    #[test]
    fn placement_rotates_scales_and_shifts() {
        let config = PlacementConfig {
            rotation: Interval::fixed(std::f32::consts::FRAC_PI_2),
            tilt: Interval::fixed(0.0),
            scale: Interval::fixed(2.0),
            shift: Interval::fixed(1.0),
        };
        let canvas = Canvas::for_capture(64);
        let placement = config.draw(canvas, &mut Stream::new(0, "placement", "test"));
        // The middle moved by one unit, 4 px; 10.5 px to its right is 5.25 px up on the medium.
        let [u, v] = placement.to_medium(132 + 10, 131);
        assert!(
            (u + 0.25).abs() < 1e-3 && (v + 5.25).abs() < 1e-3,
            "{u} {v}"
        );
    }
}
