//! Image style of a domain: its light, displays, printers, papers, masks and glasses, apart from
//! the quality of its camera.
//!
//! Ranges are narrow on purpose: a domain owns one device of each kind, whose screen period,
//! angle and colours it keeps; a sample changes how the device is held, not which it is.

mod built_in;

use serde::{Deserialize, Serialize};

use self::built_in::BuiltIn;
use crate::face::FaceFrame;
use crate::light::{Light, LightConfig};
use crate::linear_image::LinearImage;
use crate::mask::{PaperMask, ResinMask};
use crate::partial::{FunnyEyeGlasses, PaperGlasses};
use crate::placement::Canvas;
use crate::presentation::{AttackKind, Presentation};
use crate::print::{HalftonePrinter, InkjetPrinter};
use crate::random::Stream;
use crate::replay::Display;

/// One domain's light, and one attack instrument of each kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleProfile {
    /// Light on the scene, and the camera's white balance for it.
    pub light: LightConfig,
    /// Instrument of [`AttackKind::PrintHalftone`].
    pub halftone: HalftonePrinter,
    /// Instrument of [`AttackKind::PrintInkjet`].
    pub inkjet: InkjetPrinter,
    /// Instrument of [`AttackKind::ReplayLcd`].
    pub lcd: Display,
    /// Instrument of [`AttackKind::ReplayOled`].
    pub oled: Display,
    /// Instrument of [`AttackKind::MaskPaper`].
    pub paper_mask: PaperMask,
    /// Instrument of [`AttackKind::MaskResin`].
    pub resin_mask: ResinMask,
    /// Instrument of [`AttackKind::GlassesPaper`].
    pub paper_glasses: PaperGlasses,
    /// Instrument of [`AttackKind::GlassesFunnyEye`].
    pub funny_eye_glasses: FunnyEyeGlasses,
}

impl StyleProfile {
    /// Style of domain `sim-C`: fluorescent office light, yellowish newsprint, a desktop monitor.
    pub fn sim_c() -> Self {
        BuiltIn::C.style()
    }

    /// Style of domain `sim-I`: incandescent light from the left, grey paper, an old notebook.
    pub fn sim_i() -> Self {
        BuiltIn::I.style()
    }

    /// Style of domain `sim-M`: neutral daylight, glossy paper, a tablet and a bluish telephone.
    pub fn sim_m() -> Self {
        BuiltIn::M.style()
    }

    /// Style of domain `sim-O`: cool window light, coated paper, a calibrated monitor.
    pub fn sim_o() -> Self {
        BuiltIn::O.style()
    }

    /// Radiance of the scene before the camera.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        frame: &FaceFrame,
        presentation: Presentation,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let kind = match presentation {
            Presentation::BonaFide => return light.illuminate(face.clone()),
            Presentation::Attack(kind) => kind,
        };
        match kind {
            AttackKind::PrintHalftone => self.halftone.present(face, canvas, light, stream),
            AttackKind::PrintInkjet => self.inkjet.present(face, canvas, light, stream),
            AttackKind::ReplayLcd => self.lcd.present(face, canvas, light, stream),
            AttackKind::ReplayOled => self.oled.present(face, canvas, light, stream),
            AttackKind::MaskPaper => self.paper_mask.present(face, frame, canvas, light, stream),
            AttackKind::MaskResin => self.resin_mask.present(face, frame, canvas, light, stream),
            AttackKind::GlassesPaper => self
                .paper_glasses
                .present(face, frame, canvas, light, stream),
            AttackKind::GlassesFunnyEye => self
                .funny_eye_glasses
                .present(face, frame, canvas, light, stream),
        }
    }
}
