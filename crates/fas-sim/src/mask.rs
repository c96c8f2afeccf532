//! Mask attacks: a printed paper mask with the eyes cut out, and a painted resin mask.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::face::FaceFrame;
use crate::light::Light;
use crate::linear_image::{LinearImage, luminance, mix};
use crate::placement::Canvas;
use crate::print::{InkSet, PaperConfig, PrintTone};
use crate::random::Stream;

/// Half axes of a mask of size 1: fractions of the eye distance and of the eye-mouth distance.
const OUTLINE: [f32; 2] = [0.86, 1.28];

/// Openings for the eyes, as half axes relative to the eye distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EyeOpening {
    /// Half width.
    pub half_width: Interval,
    /// Half height.
    pub half_height: Interval,
    /// Irradiance on the eyes in the shadow of the mask, relative to the open face.
    pub shadow: Interval,
}

/// One sample's openings, drawn once so that every canvas pixel sees the same.
struct Opening {
    half_width: f32,
    half_height: f32,
    shadow: f32,
}

impl EyeOpening {
    fn draw(&self, stream: &mut Stream) -> Opening {
        Opening {
            half_width: self.half_width.draw(stream),
            half_height: self.half_height.draw(stream),
            shadow: self.shadow.draw(stream),
        }
    }
}

impl Opening {
    /// Cover in `[0, 1]` of an opening enlarged by `grow` (fractions of the eye distance).
    fn cover(&self, frame: &FaceFrame, x: f32, y: f32, grow: f32) -> f32 {
        let height = self.half_height + grow;
        let reach = frame.eye_ellipse(x, y, self.half_width + grow, height);
        ((1.0 - reach) * height * frame.eye_distance + 0.5).clamp(0.0, 1.0)
    }
}

/// Radial coordinate of the mask outline: below one inside.
fn outline(u: f32, v: f32, size: f32) -> f32 {
    (u / (OUTLINE[0] * size)).hypot(v / (OUTLINE[1] * size))
}

/// A face printed on paper, cut along its outline and at the eyes, and worn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperMask {
    /// Size relative to an outline through temples and chin.
    pub size: Interval,
    /// Width of the unprinted rim, relative to the half axes.
    pub rim: f32,
    /// Width of the white cut edge around the eyes, relative to the eye distance.
    pub cut_edge: f32,
    /// Openings for the eyes.
    pub eyes: EyeOpening,
    /// Inks.
    pub inks: InkSet,
    /// Tone and gamut.
    pub tone: PrintTone,
    /// Paper, its bend around the face and its fold along the nose.
    pub paper: PaperConfig,
}

impl PaperMask {
    /// Radiance of the lit face behind its mask.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        frame: &FaceFrame,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let size = self.size.draw(stream);
        let opening = self.eyes.draw(stream);
        let separation = self.tone.draw(stream);
        let paper = self.paper.draw(canvas, light.angle, stream);
        // The desktop printer's droplets are below what the camera resolves: continuous tone.
        let printed = face.resized(canvas.size / 2, canvas.size / 2);
        let printed = LinearImage::from_fn(printed.width(), printed.height(), |x, y| {
            self.inks
                .reflectance(separation.coverage(printed.get(x, y)), paper.white)
        });
        let edge = OUTLINE[0] * size * frame.eye_distance;
        let masked = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let skin = face.get(x, y);
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let [u, v] = frame.coordinates(px, py);
            let reach = outline(u, v, size);
            let on_paper = ((1.0 + self.rim - reach) * edge + 0.5).clamp(0.0, 1.0);
            if on_paper == 0.0 {
                // Shadow of the paper on the cheeks and neck.
                let shadow = 0.5 * (-(reach - 1.0 - self.rim) / 0.06).exp();
                return skin.map(|s| s * (1.0 - shadow));
            }
            let inked = ((1.0 - reach) * edge + 0.5).clamp(0.0, 1.0);
            let cut = opening.cover(frame, px, py, self.cut_edge);
            let picture = printed.sample(0.5 * px, 0.5 * py);
            let sheet = mix(paper.white, picture, inked * (1.0 - cut));
            let shade = paper.shade(x, y);
            let eye = skin.map(|s| s * opening.shadow);
            let sheet = mix(
                sheet.map(|s| s * shade),
                eye,
                opening.cover(frame, px, py, 0.0),
            );
            mix(skin, sheet, on_paper)
        });
        light.illuminate(masked)
    }
}

/// One highlight of a glossy mask, in face coordinates.
struct Lobe {
    u: f32,
    v: f32,
    width: f32,
    height: f32,
    weight: f32,
}

/// Forehead, cheeks and the ridge of the nose: where a face turns towards a lamp above the camera.
const LOBES: [Lobe; 4] = [
    Lobe {
        u: 0.0,
        v: -0.95,
        width: 0.24,
        height: 0.16,
        weight: 0.8,
    },
    Lobe {
        u: -0.45,
        v: 0.22,
        width: 0.11,
        height: 0.16,
        weight: 0.55,
    },
    Lobe {
        u: 0.45,
        v: 0.22,
        width: 0.11,
        height: 0.16,
        weight: 0.55,
    },
    Lobe {
        u: 0.0,
        v: 0.10,
        width: 0.06,
        height: 0.26,
        weight: 0.75,
    },
];

/// A painted mask of plastic or resin: one base tone instead of skin, detail half lost in the
/// paint, glossy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResinMask {
    /// Size relative to an outline through temples and chin.
    pub size: Interval,
    /// Reflectance of the paint, linear RGB.
    pub albedo: [f32; 3],
    /// Factor on `albedo` that varies between castings.
    pub paint: Interval,
    /// Share of the albedo contrast of the face (eyebrows, lips) that was painted on.
    pub detail: f32,
    /// Share of the shading of the face that the cast relief shows.
    pub relief: f32,
    /// Radiance of the strongest highlight relative to lit diffuse white.
    pub gloss: Interval,
    /// Openings for the eyes.
    pub eyes: EyeOpening,
}

impl ResinMask {
    /// Radiance of the lit face behind its mask.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        frame: &FaceFrame,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let size = self.size.draw(stream);
        let paint = self.paint.draw(stream);
        let gloss = self.gloss.draw(stream);
        let opening = self.eyes.draw(stream);
        let albedo = self.albedo.map(|v| v * paint);
        // Shading varies over centimetres, painted detail over millimetres.
        let small = face.resized(64, 64);
        let (shading, detail) = (small.blurred(2.2), face.resized(128, 128).blurred(1.0));
        let level = mean_inside(&shading, frame, size, canvas);
        let edge = OUTLINE[0] * size * frame.eye_distance;
        let to_small = 64.0 / canvas.size as f32;
        let lamp = 0.25 * light.angle.sin();
        let masked = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let skin = face.get(x, y);
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let [u, v] = frame.coordinates(px, py);
            let reach = outline(u, v, size);
            let on_mask = ((1.0 - reach) * edge + 0.5).clamp(0.0, 1.0);
            if on_mask == 0.0 {
                let shadow = 0.4 * (-(reach - 1.0) / 0.08).exp();
                return skin.map(|s| s * (1.0 - shadow));
            }
            let smooth = luminance(shading.sample(px * to_small, py * to_small));
            let fine = luminance(detail.sample(2.0 * px * to_small, 2.0 * py * to_small));
            let relief = 1.0 - self.relief + self.relief * (smooth / level).clamp(0.2, 1.6);
            let painted =
                1.0 - self.detail + self.detail * (fine / smooth.max(1e-3)).clamp(0.2, 1.6);
            // The shell falls away towards its rim.
            let turned = 1.0 - 0.45 * ((reach - 0.65) / 0.35).max(0.0).powi(2);
            let highlight: f32 = LOBES
                .iter()
                .map(|lobe| {
                    let du = (u - lobe.u - lamp) / lobe.width;
                    let dv = (v - lobe.v) / lobe.height;
                    lobe.weight * (-du * du - dv * dv).exp()
                })
                .sum();
            let surface = albedo.map(|a| a * relief * painted * turned + gloss * highlight);
            let rim = opening.cover(frame, px, py, 0.05);
            let surface = mix(surface, albedo.map(|a| a * 0.22), rim);
            let eye = skin.map(|s| s * opening.shadow);
            let surface = mix(surface, eye, opening.cover(frame, px, py, 0.0));
            mix(skin, surface, on_mask)
        });
        light.illuminate(masked)
    }
}

/// Mean luminance of the 64 px image inside the mask outline.
fn mean_inside(image: &LinearImage, frame: &FaceFrame, size: f32, canvas: Canvas) -> f32 {
    let (mut sum, mut count) = (0.0, 1e-6);
    for y in 0..image.height() {
        for x in 0..image.width() {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let [u, v] = frame.coordinates(px * canvas.unit(), py * canvas.unit());
            if outline(u, v, size) < 1.0 {
                sum += luminance(image.get(x, y));
                count += 1.0;
            }
        }
    }
    (sum / count).max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::tests::face;
    use crate::{Face, StyleProfile};

    fn setting(face: &Face) -> (LinearImage, FaceFrame, Canvas) {
        let canvas = Canvas::for_capture(64);
        (
            face.on_canvas(canvas.size),
            FaceFrame::new(face, canvas.size as f32),
            canvas,
        )
    }

    fn at(image: &LinearImage, [x, y]: [f32; 2]) -> [f32; 3] {
        image.get(x as usize, y as usize)
    }

    #[test]
    fn paper_mask_covers_the_face_and_shows_the_eyes() {
        let mut mask = StyleProfile::sim_c().paper_mask;
        mask.eyes.shadow = Interval::fixed(0.4);
        let (skin, frame, canvas) = setting(&face());
        let light = Light::white();
        let mut stream = Stream::new(1, "mask", "test");
        let scene = mask.present(&skin, &frame, canvas, &light, &mut stream);
        for eye in frame.eyes {
            for c in 0..3 {
                assert!((at(&scene, eye)[c] - 0.4 * at(&skin, eye)[c]).abs() < 1e-5);
            }
        }
        // Far outside nothing changed; on the cheek the print is greyer than the skin.
        assert!((at(&scene, [2.0, 2.0])[0] - at(&skin, [2.0, 2.0])[0]).abs() < 0.01);
        let cheek = [frame.eyes[0][0], frame.centre[1] + 10.0];
        let colourfulness = |p: [f32; 3]| (p[0] - p[2]) / luminance(p);
        assert!(colourfulness(at(&scene, cheek)) < 0.8 * colourfulness(at(&skin, cheek)));
    }

    #[test]
    fn rim_of_the_paper_mask_is_unprinted() {
        let mut mask = StyleProfile::sim_c().paper_mask;
        mask.size = Interval::fixed(1.0);
        mask.rim = 0.1;
        mask.paper.texture = 0.0;
        mask.paper.bend = Interval::fixed(0.0);
        mask.paper.fold = Interval::fixed(0.0);
        mask.paper.brightness = Interval::fixed(1.0);
        let (skin, frame, canvas) = setting(&face());
        let light = Light::white();
        let mut stream = Stream::new(1, "mask", "test");
        let scene = mask.present(&skin, &frame, canvas, &light, &mut stream);
        let rim_x = frame.centre[0] - 1.05 * OUTLINE[0] * frame.eye_distance;
        for c in 0..3 {
            let value = at(&scene, [rim_x, frame.centre[1]])[c];
            assert!((value - mask.paper.white[c]).abs() < 0.02, "{value}");
        }
    }

    #[test]
    fn resin_mask_flattens_albedo_and_shines() {
        let mut mask = StyleProfile::sim_c().resin_mask;
        mask.gloss = Interval::fixed(0.0);
        mask.paint = Interval::fixed(1.0);
        let (skin, frame, canvas) = setting(&face());
        let light = Light::white();
        let dull = mask.present(&skin, &frame, canvas, &light, &mut Stream::new(1, "m", "t"));
        mask.gloss = Interval::fixed(0.5);
        let glossy = mask.present(&skin, &frame, canvas, &light, &mut Stream::new(1, "m", "t"));
        // One hue everywhere on the mask: that of the paint.
        let cheek = at(&dull, [frame.centre[0] + 20.0, frame.centre[1]]);
        assert!((cheek[0] / cheek[2] - mask.albedo[0] / mask.albedo[2]).abs() < 1e-3);
        // The forehead lobe adds 0.8 of the gloss.
        let forehead = [frame.centre[0], frame.centre[1] - 0.95 * frame.eye_mouth];
        let gain = at(&glossy, forehead)[1] - at(&dull, forehead)[1];
        assert!((gain - 0.4).abs() < 0.02, "{gain}");
        assert_eq!(at(&glossy, [2.0, 2.0]), at(&dull, [2.0, 2.0]));
    }

    #[test]
    fn lamp_from_the_side_moves_the_highlight() {
        let mut light = Light::white();
        light.angle = 0.6;
        let mut mask = StyleProfile::sim_c().resin_mask;
        let (skin, frame, canvas) = setting(&face());
        mask.gloss = Interval::fixed(0.5);
        let lit = mask.present(&skin, &frame, canvas, &light, &mut Stream::new(1, "m", "t"));
        let row = (frame.centre[1] - 0.95 * frame.eye_mouth) as usize;
        let brightest = (60..200)
            .max_by(|&a, &b| lit.get(a, row)[2].total_cmp(&lit.get(b, row)[2]))
            .unwrap();
        let shift = (brightest as f32 - frame.centre[0]) / frame.eye_distance;
        assert!((shift - 0.25 * 0.6f32.sin()).abs() < 0.08, "{shift}");
    }
}
