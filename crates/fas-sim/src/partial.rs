//! Partial attacks: paper glasses with printed eyes, and opaque joke glasses with cartoon eyes.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::face::FaceFrame;
use crate::light::Light;
use crate::linear_image::{LinearImage, mix};
use crate::placement::Canvas;
use crate::print::{InkSet, PrintTone};
use crate::random::Stream;

/// Shape of a pair of glasses; lengths relative to the eye distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlassesShape {
    /// Half width of a lens.
    pub lens: Interval,
    /// Height of a lens relative to its width.
    pub aspect: f32,
    /// Exponent of the super-ellipse: 2 is round, 4 nearly rectangular.
    pub squareness: f32,
    /// Width of the frame around a lens.
    pub frame: Interval,
    /// Rotation about the viewing axis in radians.
    pub roll: Interval,
    /// Downward shift.
    pub drop: Interval,
}

/// One pair, on a face.
struct Glasses {
    centre: [f32; 2],
    frame: FaceFrame,
    cos: f32,
    sin: f32,
    lens: f32,
    aspect: f32,
    squareness: f32,
    width: f32,
    drop: f32,
}

/// What covers a canvas pixel.
struct Cover {
    /// Frame, bridge and temples, in `[0, 1]`.
    frame: f32,
    /// Lens, in `[0, 1]`.
    lens: f32,
    /// Distance outside the frame, relative to the eye distance; 0 on the glasses.
    outside: f32,
    /// Position in the nearer lens about its middle, relative to the eye distance.
    position: [f32; 2],
}

impl GlassesShape {
    fn draw(&self, frame: &FaceFrame, stream: &mut Stream) -> Glasses {
        let (sin, cos) = self.roll.draw(stream).sin_cos();
        Glasses {
            centre: frame.between_eyes,
            frame: *frame,
            cos,
            sin,
            lens: self.lens.draw(stream),
            aspect: self.aspect,
            squareness: self.squareness,
            width: self.frame.draw(stream),
            drop: self.drop.draw(stream),
        }
    }
}

impl Glasses {
    fn cover(&self, x: f32, y: f32) -> Cover {
        let distance = self.frame.eye_distance;
        let [along, across] = self.frame.offset(self.centre, x, y).map(|v| v / distance);
        let u = self.cos * along + self.sin * across;
        let v = self.cos * across - self.sin * along - self.drop;
        let position = [u - 0.5 * u.signum(), v];
        let soft = |inside: f32| (inside * distance + 0.5).clamp(0.0, 1.0);
        // The bar carries the bridge between the lenses and the temples beside them.
        let bar = 0.55 * self.width - (v + 0.35 * self.lens * self.aspect).abs();
        let nearest = position[0].abs().max(v.abs() / self.aspect);
        if nearest > self.lens + self.width + 0.25 && bar < -0.3 {
            return Cover {
                frame: 0.0,
                lens: 0.0,
                outside: 1.0,
                position,
            };
        }
        let reach = (position[0].abs().powf(self.squareness)
            + (v.abs() / self.aspect).powf(self.squareness))
        .powf(1.0 / self.squareness);
        let lens = soft(self.lens - reach);
        let ring = self.lens + self.width - reach;
        let frame = soft(ring.max(bar)) * (1.0 - lens);
        Cover {
            frame,
            lens,
            outside: (-ring.max(bar)).max(0.0),
            position,
        }
    }
}

/// Share of light that the glasses take from the skin just below them, and how far it reaches
/// (relative to the eye distance).
const SHADOW: (f32, f32) = (0.45, 0.05);

fn shadowed(skin: [f32; 3], outside: f32) -> [f32; 3] {
    let shadow = SHADOW.0 * (-outside / SHADOW.1).exp();
    skin.map(|s| s * (1.0 - shadow))
}

/// A paper frame with the eyes of the target printed where the lenses would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperGlasses {
    /// Shape.
    pub shape: GlassesShape,
    /// Reflectance of the paper, linear RGB.
    pub paper: [f32; 3],
    /// Factor on `paper` that varies between sheets.
    pub brightness: Interval,
    /// Inks of the printed eyes.
    pub inks: InkSet,
    /// Tone and gamut of the printed eyes.
    pub tone: PrintTone,
    /// Size of the printed eyes relative to the real ones.
    pub enlargement: f32,
}

impl PaperGlasses {
    /// Radiance of the lit face behind its glasses.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        frame: &FaceFrame,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let glasses = self.shape.draw(frame, stream);
        let brightness = self.brightness.draw(stream);
        let paper = self.paper.map(|v| v * brightness);
        let separation = self.tone.draw(stream);
        let worn = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let cover = glasses.cover(px, py);
            let skin = face.get(x, y);
            if cover.frame + cover.lens == 0.0 {
                return shadowed(skin, cover.outside);
            }
            let shrink = (1.0 - 1.0 / self.enlargement) * frame.eye_distance;
            let source = face.sample(
                px - cover.position[0] * shrink,
                py - cover.position[1] * shrink,
            );
            let printed = self.inks.reflectance(separation.coverage(source), paper);
            let below = shadowed(skin, cover.outside);
            mix(mix(below, printed, cover.lens), paper, cover.frame)
        });
        light.illuminate(worn)
    }
}

/// Opaque joke glasses: a plastic frame with big cartoon eyes painted on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunnyEyeGlasses {
    /// Shape.
    pub shape: GlassesShape,
    /// Reflectance of the frame, linear RGB.
    pub frame: [f32; 3],
    /// Reflectance of the eyeball, linear RGB.
    pub eyeball: [f32; 3],
    /// Reflectance of the iris, linear RGB.
    pub iris: [f32; 3],
    /// Radius of the iris relative to the lens.
    pub iris_size: f32,
    /// Radius of the pupil relative to the lens.
    pub pupil_size: f32,
    /// Where the eyes look: shift of the iris relative to the lens, towards the nose and down.
    pub gaze: [f32; 2],
    /// Change of the gaze between samples, for each axis (the eyes of some models roll).
    pub roll: Interval,
}

impl FunnyEyeGlasses {
    /// Radiance of the lit face behind its glasses.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        frame: &FaceFrame,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let glasses = self.shape.draw(frame, stream);
        let roll = [self.roll.draw(stream), self.roll.draw(stream)];
        let lens = glasses.lens;
        let softness = lens * frame.eye_distance;
        let worn = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let cover = glasses.cover(px, py);
            let below = shadowed(face.get(x, y), cover.outside);
            if cover.frame + cover.lens == 0.0 {
                return below;
            }
            // Towards the nose is to the right for the left lens.
            let nose = if frame.offset(frame.between_eyes, px, py)[0] < 0.0 {
                1.0
            } else {
                -1.0
            };
            let u = cover.position[0] / lens - nose * self.gaze[0] - roll[0];
            let v = cover.position[1] / lens - self.gaze[1] - roll[1];
            let disc = |radius: f32, du: f32, dv: f32| {
                ((radius - (u - du).hypot(v - dv)) * softness + 0.5).clamp(0.0, 1.0)
            };
            // The eyeball is painted round: darker towards the rim.
            let rim = (cover.position[0] / lens).hypot(cover.position[1] / lens);
            let ball = self.eyeball.map(|v| v * (1.0 - 0.25 * rim * rim));
            let eye = mix(ball, self.iris, disc(self.iris_size, 0.0, 0.0));
            let eye = mix(eye, [0.02; 3], disc(self.pupil_size, 0.0, 0.0));
            let spark = disc(
                0.3 * self.iris_size,
                -0.4 * self.iris_size,
                -0.4 * self.iris_size,
            );
            let eye = mix(eye, [0.95; 3], spark);
            mix(mix(below, eye, cover.lens), self.frame, cover.frame)
        });
        light.illuminate(worn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleProfile;
    use crate::face::tests::face;

    fn still(shape: &mut GlassesShape) {
        shape.roll = Interval::fixed(0.0);
        shape.drop = Interval::fixed(0.0);
        shape.lens = Interval::fixed(0.4);
        shape.frame = Interval::fixed(0.1);
        shape.aspect = 1.0;
        shape.squareness = 2.0;
    }

    fn at(image: &LinearImage, x: f32, y: f32) -> [f32; 3] {
        image.get(x as usize, y as usize)
    }

    #[test]
    fn funny_eyes_replace_the_eyes() {
        let mut glasses = StyleProfile::sim_c().funny_eye_glasses;
        still(&mut glasses.shape);
        glasses.gaze = [0.0; 2];
        glasses.roll = Interval::fixed(0.0);
        let canvas = Canvas::for_capture(64);
        let face = face();
        let (skin, frame) = (face.on_canvas(256), FaceFrame::new(&face, 256.0));
        let light = Light::white();
        let mut stream = Stream::new(1, "funny", "test");
        let scene = glasses.present(&skin, &frame, canvas, &light, &mut stream);
        let d = frame.eye_distance;
        for [x, y] in frame.eyes {
            let y = y.midpoint(frame.between_eyes[1]);
            assert!(
                at(&scene, x, y).iter().all(|v| *v < 0.03),
                "{:?}",
                at(&scene, x, y)
            );
            // Iris at 0.33 of the lens, eyeball at 0.8, frame at 1.12, skin beyond.
            let iris = at(&scene, x, y + 0.33 * 0.4 * d);
            assert!((iris[2] - glasses.iris[2]).abs() < 1e-5, "{iris:?}");
            let ball = glasses.eyeball[0] * (1.0 - 0.25 * 0.64);
            assert!((at(&scene, x, y + 0.8 * 0.4 * d)[0] - ball).abs() < 0.02);
            let frame = at(&scene, x, y + 1.12 * 0.4 * d);
            assert!((frame[0] - glasses.frame[0]).abs() < 1e-5, "{frame:?}");
        }
        assert!((at(&scene, 128.0, 230.0)[0] - at(&skin, 128.0, 230.0)[0]).abs() < 1e-4);
    }

    #[test]
    fn paper_glasses_print_the_eyes() {
        let mut glasses = StyleProfile::sim_c().paper_glasses;
        still(&mut glasses.shape);
        glasses.inks = InkSet::ideal();
        glasses.paper = [0.8; 3];
        glasses.brightness = Interval::fixed(1.0);
        glasses.enlargement = 1.0;
        let one = Interval::fixed(1.0);
        glasses.tone = PrintTone {
            saturation: one,
            exponent: one,
            black_replacement: 0.5,
        };
        let canvas = Canvas::for_capture(64);
        let face = face();
        let (skin, frame) = (face.on_canvas(256), FaceFrame::new(&face, 256.0));
        let light = Light::white();
        let mut stream = Stream::new(1, "paper", "test");
        let scene = glasses.present(&skin, &frame, canvas, &light, &mut stream);
        let [x, y] = frame.eyes[0];
        for c in 0..3 {
            assert!((at(&scene, x, y)[c] - 0.8 * at(&skin, x, y)[c]).abs() < 1e-3);
        }
        // The bridge is bare paper.
        let bridge = at(
            &scene,
            frame.between_eyes[0],
            frame.between_eyes[1] - 0.14 * frame.eye_distance,
        );
        assert_eq!(bridge, [0.8; 3]);
    }
}
