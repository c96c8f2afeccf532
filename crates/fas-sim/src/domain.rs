//! A capture domain: a style and a quality, each of which can be shifted alone.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::face::{Face, FaceFrame};
use crate::light::Light;
use crate::linear_image::LinearImage;
use crate::placement::Canvas;
use crate::presentation::Presentation;
use crate::random::Stream;
use crate::{QualityProfile, SimError, StyleProfile};

/// Smallest and largest side of a capture in pixels.
const CAPTURE_SIZES: std::ops::RangeInclusive<u32> = 16..=1024;

/// Where and with what faces and attacks are captured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Name in manifests and style labels, for instance `sim-C`.
    pub name: String,
    /// Light and attack instruments.
    pub style: StyleProfile,
    /// Camera.
    pub quality: QualityProfile,
}

impl Domain {
    /// Domain `sim-C`: office light, newsprint, desktop monitor; a webcam of mixed quality.
    pub fn sim_c() -> Self {
        Self::built_in("sim-C", StyleProfile::sim_c(), QualityProfile::sim_c())
    }

    /// Domain `sim-I`: incandescent light, grey paper, old notebook; low resolution and noisy.
    pub fn sim_i() -> Self {
        Self::built_in("sim-I", StyleProfile::sim_i(), QualityProfile::sim_i())
    }

    /// Domain `sim-M`: daylight, glossy paper, tablet and telephone; a telephone camera.
    pub fn sim_m() -> Self {
        Self::built_in("sim-M", StyleProfile::sim_m(), QualityProfile::sim_m())
    }

    /// Domain `sim-O`: window light, coated paper, calibrated monitor; the best camera.
    pub fn sim_o() -> Self {
        Self::built_in("sim-O", StyleProfile::sim_o(), QualityProfile::sim_o())
    }

    /// The four built-in domains, in the order O, C, I, M of the literature.
    pub fn all() -> [Self; 4] {
        [Self::sim_o(), Self::sim_c(), Self::sim_i(), Self::sim_m()]
    }

    /// Built-in domain of a name such as `sim-C`.
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownDomain`] for any other name.
    pub fn by_name(name: &str) -> Result<Self, SimError> {
        Self::all()
            .into_iter()
            .find(|domain| domain.name == name)
            .ok_or_else(|| SimError::UnknownDomain(name.to_owned()))
    }

    fn built_in(name: &str, style: StyleProfile, quality: QualityProfile) -> Self {
        Self {
            name: name.to_owned(),
            style,
            quality,
        }
    }

    /// This domain's style seen through another domain's camera: shifts quality alone. The name
    /// becomes `<style domain>+<quality domain>`.
    pub fn with_quality_of(self, other: &Self) -> Self {
        let name = format!("{}+{}", self.name, other.name);
        Self {
            name,
            style: self.style,
            quality: other.quality.clone(),
        }
    }

    /// Another domain's style seen through this domain's camera: shifts style alone. The name
    /// becomes `<style domain>+<quality domain>`.
    pub fn with_style_of(self, other: &Self) -> Self {
        other.clone().with_quality_of(&self)
    }

    /// Style label of a sample: `<domain>/<presentation>`, for instance `sim-C/print_halftone`.
    pub fn style_label(&self, presentation: Presentation) -> String {
        format!("{}/{}", self.name, presentation.name())
    }

    /// Presents a face and captures it as a square 8-bit sRGB image of `size` px.
    ///
    /// The result depends on the arguments and the domain alone: not on other captures, nor on the
    /// number of threads. What is presented depends on the style, how it is captured on the quality,
    /// and their random numbers are separate.
    ///
    /// # Errors
    ///
    /// [`SimError::NotSquare`], [`SimError::FaceTooSmall`] or [`SimError::DegenerateLandmarks`]
    /// for a face that cannot be presented; [`SimError::CaptureSize`] for a size outside
    /// 16 to 1024 px.
    pub fn capture(
        &self,
        face: &Face,
        presentation: Presentation,
        size: u32,
        seed: u64,
        sample_id: &str,
    ) -> Result<RgbImage, SimError> {
        let (radiance, light, canvas) = self.scene(face, presentation, size, seed, sample_id)?;
        let mut stream = Stream::new(seed, sample_id, "camera");
        self.quality.capture(&radiance, canvas, &light, &mut stream)
    }

    /// Radiance of the scene before the camera, on a canvas of at least four times `size`;
    /// 1.0 is diffuse white under the domain's light. It does not depend on the quality.
    ///
    /// # Errors
    ///
    /// As [`capture`](Self::capture).
    pub fn present(
        &self,
        face: &Face,
        presentation: Presentation,
        size: u32,
        seed: u64,
        sample_id: &str,
    ) -> Result<LinearImage, SimError> {
        Ok(self.scene(face, presentation, size, seed, sample_id)?.0)
    }

    fn scene(
        &self,
        face: &Face,
        presentation: Presentation,
        size: u32,
        seed: u64,
        sample_id: &str,
    ) -> Result<(LinearImage, Light, Canvas), SimError> {
        if !CAPTURE_SIZES.contains(&size) {
            let (minimum, maximum) = (*CAPTURE_SIZES.start(), *CAPTURE_SIZES.end());
            return Err(SimError::CaptureSize {
                size,
                minimum,
                maximum,
            });
        }
        face.check()?;
        let canvas = Canvas::for_capture(size);
        let light = self
            .style
            .light
            .draw(&mut Stream::new(seed, sample_id, "light"));
        let frame = FaceFrame::new(face, canvas.size as f32);
        let mut stream = Stream::new(seed, sample_id, "presentation");
        let reflectance = face.on_canvas(canvas.size);
        let radiance = self.style.present(
            &reflectance,
            &frame,
            presentation,
            canvas,
            &light,
            &mut stream,
        );
        Ok((radiance, light, canvas))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AttackKind;
    use crate::face::tests::face;

    const OLED: Presentation = Presentation::Attack(AttackKind::ReplayOled);

    #[test]
    fn captures_are_functions_of_seed_and_id() {
        let domain = Domain::sim_i();
        for presentation in Presentation::all() {
            let capture = |seed, id| domain.capture(&face(), presentation, 64, seed, id).unwrap();
            let first = capture(3, "a");
            assert_eq!(first.dimensions(), (64, 64));
            assert_eq!(first, capture(3, "a"), "{presentation}");
            assert_ne!(first, capture(4, "a"), "{presentation}");
            assert_ne!(first, capture(3, "b"), "{presentation}");
        }
    }

    #[test]
    fn quality_does_not_touch_the_scene_and_style_not_the_camera() {
        let (c, i) = (Domain::sim_c(), Domain::sim_i());
        let shifted = c.clone().with_quality_of(&i);
        assert_eq!(shifted.name, "sim-C+sim-I");
        assert_eq!(shifted.style, c.style);
        assert_eq!(shifted.quality, i.quality);
        for presentation in Presentation::all() {
            let scene =
                |domain: &Domain| domain.present(&face(), presentation, 64, 1, "x").unwrap();
            assert_eq!(scene(&c), scene(&shifted), "{presentation}");
            assert_ne!(scene(&c), scene(&i), "{presentation}");
            let picture =
                |domain: &Domain| domain.capture(&face(), presentation, 64, 1, "x").unwrap();
            assert_ne!(picture(&c), picture(&shifted), "{presentation}");
            assert_ne!(picture(&i), picture(&shifted), "{presentation}");
        }
        let styled = c.clone().with_style_of(&i);
        assert_eq!((&styled.style, &styled.quality), (&i.style, &c.quality));
        assert_eq!(styled.name, "sim-I+sim-C");
    }

    #[test]
    fn every_attack_is_visible_in_every_domain() {
        for domain in Domain::all() {
            let capture = |presentation| domain.capture(&face(), presentation, 64, 1, "x").unwrap();
            let live = capture(Presentation::BonaFide);
            for kind in AttackKind::ALL {
                let attack = capture(Presentation::Attack(kind));
                let squares = attack.iter().zip(live.iter());
                let sum: f64 = squares
                    .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                    .sum();
                let rms = (sum / (64.0 * 64.0 * 3.0)).sqrt();
                assert!(rms > 12.0, "{} {kind}: {rms}", domain.name);
            }
        }
    }

    #[test]
    fn any_face_and_capture_size_works() {
        let domain = Domain::sim_m();
        for size in [16, 50, 64, 128] {
            let picture = domain.capture(&face(), OLED, size, 1, "x").unwrap();
            assert_eq!(picture.dimensions(), (size, size));
        }
        for size in [0, 15, 1025] {
            let error = domain.capture(&face(), OLED, size, 1, "x").unwrap_err();
            assert!(matches!(error, SimError::CaptureSize { .. }));
        }
        let small = Face::from_aligned(RgbImage::new(16, 16), "s");
        assert!(domain.capture(&small, OLED, 64, 1, "x").is_ok());
        let tiny = Face::from_aligned(RgbImage::new(1, 1), "t");
        assert!(domain.capture(&tiny, OLED, 64, 1, "x").is_err());
    }

    #[test]
    fn domains_have_names_and_differ_in_both_factors() {
        let domains = Domain::all();
        for (index, domain) in domains.iter().enumerate() {
            assert_eq!(&Domain::by_name(&domain.name).unwrap(), domain);
            for other in &domains[..index] {
                assert_ne!(domain.style, other.style);
                assert_ne!(domain.quality, other.quality);
            }
        }
        let error = Domain::by_name("sim-X").unwrap_err().to_string();
        assert!(
            error.contains("sim-X") && error.contains("sim-O"),
            "{error}"
        );
    }

    #[test]
    fn a_domain_survives_json() {
        let domain = Domain::sim_c();
        let text = serde_json::to_string(&domain).unwrap();
        assert_eq!(serde_json::from_str::<Domain>(&text).unwrap(), domain);
    }
}
