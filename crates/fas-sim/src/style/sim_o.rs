//! Style of domain `sim-O`: cool window light, coated paper, a calibrated monitor.

use crate::mask::{EyeOpening, PaperMask, ResinMask};
use crate::partial::{FunnyEyeGlasses, GlassesShape, PaperGlasses};
use crate::placement::PlacementConfig;
use crate::print::{HalftonePrinter, InkSet, InkjetPrinter, PaperConfig, PrintTone};
use crate::replay::{Display, GlareConfig, PixelLayout};
use crate::{Interval, LightConfig, StyleProfile};

pub(super) fn profile() -> StyleProfile {
    StyleProfile {
        light: LightConfig {
            temperature: Interval::around(7200.0, 250.0),
            white_balance: Interval::around(0.55, 0.04),
            unevenness: Interval::around(0.10, 0.03),
            angle: Interval::around(0.35, 0.05),
        },
        halftone: halftone(),
        inkjet: inkjet(),
        lcd: lcd(),
        oled: oled(),
        paper_mask: paper_mask(),
        resin_mask: resin_mask(),
        paper_glasses: paper_glasses(),
        funny_eye_glasses: funny_eye_glasses(),
    }
}

fn halftone() -> HalftonePrinter {
    HalftonePrinter {
        screen_period: Interval::around(4.0, 0.03),
        screen_angles: [18.4, 71.6, 0.0, 45.0],
        phase: Interval::new(-0.08, 0.08),
        dot_softness: 0.18,
        light_scatter: Interval::around(0.55, 0.04),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.75, 0.06),
            exponent: Interval::around(0.85, 0.04),
            black_replacement: 0.3,
        },
        paper: PaperConfig {
            white: [0.90, 0.91, 0.89],
            brightness: Interval::new(0.94, 1.0),
            texture: 0.01,
            bend: Interval::around(0.25, 0.08),
            fold: Interval::around(0.12, 0.03),
            fold_position: Interval::around(-8.0, 1.0),
        },
        placement: PlacementConfig {
            rotation: Interval::around(0.0, 0.015),
            tilt: Interval::around(0.0, 0.015),
            scale: Interval::new(1.0, 1.04),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn inkjet() -> InkjetPrinter {
    InkjetPrinter {
        raster: 136,
        threshold_noise: 0.12,
        band_period: Interval::around(7.2, 0.1),
        band_depth: Interval::around(0.12, 0.02),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.85, 0.05),
            exponent: Interval::around(0.80, 0.04),
            black_replacement: 0.0,
        },
        paper: PaperConfig {
            white: [0.93, 0.92, 0.88],
            brightness: Interval::new(0.92, 1.0),
            texture: 0.01,
            bend: Interval::around(0.15, 0.05),
            fold: Interval::fixed(0.0),
            fold_position: Interval::fixed(0.0),
        },
        border: Interval::around(4.0, 0.3),
        ground: [0.22, 0.23, 0.24],
        placement: PlacementConfig {
            rotation: Interval::around(0.08, 0.015),
            tilt: Interval::around(0.01, 0.02),
            scale: Interval::around(0.97, 0.01),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn lcd() -> Display {
    Display {
        layout: PixelLayout::rgb_stripe(0.80, 0.68),
        pixel_pitch: Interval::around(1.145, 0.002),
        phase: Interval::new(-0.08, 0.08),
        gamma: Interval::around(2.2, 0.04),
        white: [1.05, 1.05, 1.05],
        brightness: Interval::new(0.95, 1.05),
        black_level: Interval::around(0.01, 0.005),
        bezel: [0.0, 0.0, 0.0, 3.0],
        bezel_colour: [0.015, 0.015, 0.015],
        glare: GlareConfig {
            strength: Interval::around(0.04, 0.02),
            centre: [Interval::around(46.0, 2.0), Interval::around(12.0, 2.0)],
            radii: [Interval::around(16.0, 1.0), Interval::around(8.0, 1.0)],
            angle: Interval::around(0.5, 0.1),
            veil: 0.015,
        },
        placement: PlacementConfig {
            rotation: Interval::around(0.006, 0.002),
            tilt: Interval::around(0.0, 0.002),
            scale: Interval::new(0.99, 1.02),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn oled() -> Display {
    Display {
        layout: PixelLayout::s_stripe(),
        pixel_pitch: Interval::around(1.105, 0.002),
        phase: Interval::new(-0.08, 0.08),
        gamma: Interval::around(2.3, 0.04),
        white: [0.78, 1.0, 1.35],
        brightness: Interval::new(0.95, 1.05),
        black_level: Interval::new(0.0, 0.001),
        bezel: [0.0, 0.0, 3.0, 0.0],
        bezel_colour: [0.012, 0.012, 0.014],
        glare: GlareConfig {
            strength: Interval::around(0.40, 0.05),
            centre: [Interval::around(48.0, 3.0), Interval::around(22.0, 3.0)],
            radii: [Interval::around(11.0, 1.0), Interval::around(6.0, 0.5)],
            angle: Interval::around(0.8, 0.15),
            veil: 0.02,
        },
        placement: PlacementConfig {
            rotation: Interval::around(-0.06, 0.004),
            tilt: Interval::around(-0.005, 0.002),
            scale: Interval::new(1.04, 1.07),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn paper_mask() -> PaperMask {
    PaperMask {
        size: Interval::around(1.00, 0.03),
        rim: 0.09,
        cut_edge: 0.045,
        eyes: EyeOpening {
            half_width: Interval::around(0.21, 0.012),
            half_height: Interval::around(0.11, 0.012),
            shadow: Interval::new(0.35, 0.5),
        },
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.50, 0.06),
            exponent: Interval::around(0.80, 0.04),
            black_replacement: 0.3,
        },
        paper: PaperConfig {
            white: [0.94, 0.93, 0.92],
            brightness: Interval::new(0.92, 1.0),
            texture: 0.015,
            bend: Interval::around(0.50, 0.06),
            fold: Interval::around(0.25, 0.04),
            fold_position: Interval::around(-0.5, 0.4),
        },
    }
}

fn resin_mask() -> ResinMask {
    ResinMask {
        size: Interval::around(1.16, 0.03),
        albedo: [0.58, 0.38, 0.32],
        paint: Interval::new(0.94, 1.06),
        detail: 0.65,
        relief: 0.75,
        gloss: Interval::around(0.40, 0.05),
        eyes: EyeOpening {
            half_width: Interval::around(0.20, 0.01),
            half_height: Interval::around(0.115, 0.008),
            shadow: Interval::new(0.65, 0.85),
        },
    }
}

fn paper_glasses() -> PaperGlasses {
    PaperGlasses {
        shape: GlassesShape {
            lens: Interval::around(0.40, 0.012),
            aspect: 0.90,
            squareness: 2.4,
            frame: Interval::around(0.08, 0.008),
            roll: Interval::around(0.0, 0.03),
            drop: Interval::around(0.02, 0.02),
        },
        paper: [0.90, 0.88, 0.60],
        brightness: Interval::new(0.92, 1.0),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.55, 0.08),
            exponent: Interval::around(1.0, 0.05),
            black_replacement: 0.5,
        },
        enlargement: 1.0,
    }
}

fn funny_eye_glasses() -> FunnyEyeGlasses {
    FunnyEyeGlasses {
        shape: GlassesShape {
            lens: Interval::around(0.42, 0.012),
            aspect: 0.90,
            squareness: 3.2,
            frame: Interval::around(0.09, 0.008),
            roll: Interval::around(0.0, 0.03),
            drop: Interval::around(0.02, 0.02),
        },
        frame: [0.10, 0.25, 0.55],
        eyeball: [0.95, 0.93, 0.90],
        iris: [0.45, 0.30, 0.05],
        iris_size: 0.40,
        pupil_size: 0.24,
        gaze: [-0.08, 0.0],
        roll: Interval::around(0.0, 0.06),
    }
}
