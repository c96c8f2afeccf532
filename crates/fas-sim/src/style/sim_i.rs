//! Style of domain `sim-I`: incandescent light from the left, grey paper, an old notebook.

use crate::mask::{EyeOpening, PaperMask, ResinMask};
use crate::partial::{FunnyEyeGlasses, GlassesShape, PaperGlasses};
use crate::placement::PlacementConfig;
use crate::print::{HalftonePrinter, InkSet, InkjetPrinter, PaperConfig, PrintTone};
use crate::replay::{Display, GlareConfig, PixelLayout};
use crate::{Interval, LightConfig, StyleProfile};

pub(super) fn profile() -> StyleProfile {
    StyleProfile {
        light: LightConfig {
            temperature: Interval::around(3000.0, 120.0),
            white_balance: Interval::around(0.72, 0.04),
            unevenness: Interval::around(-0.15, 0.03),
            angle: Interval::around(-0.60, 0.05),
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
        screen_period: Interval::around(4.4, 0.03),
        screen_angles: [45.0, 75.0, 90.0, 15.0],
        phase: Interval::new(-0.08, 0.08),
        dot_softness: 0.30,
        light_scatter: Interval::around(0.35, 0.04),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.55, 0.06),
            exponent: Interval::around(0.90, 0.04),
            black_replacement: 0.8,
        },
        paper: PaperConfig {
            white: [0.80, 0.80, 0.78],
            brightness: Interval::new(0.94, 1.0),
            texture: 0.04,
            bend: Interval::around(0.30, 0.08),
            fold: Interval::around(0.22, 0.04),
            fold_position: Interval::around(6.0, 1.0),
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
        raster: 112,
        threshold_noise: 0.25,
        band_period: Interval::around(8.0, 0.1),
        band_depth: Interval::around(0.14, 0.02),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.65, 0.05),
            exponent: Interval::around(0.85, 0.04),
            black_replacement: 0.0,
        },
        paper: PaperConfig {
            white: [0.86, 0.87, 0.86],
            brightness: Interval::new(0.92, 1.0),
            texture: 0.01,
            bend: Interval::around(0.2, 0.05),
            fold: Interval::fixed(0.0),
            fold_position: Interval::fixed(0.0),
        },
        border: Interval::around(2.0, 0.3),
        ground: [0.30, 0.17, 0.08],
        placement: PlacementConfig {
            rotation: Interval::around(-0.06, 0.015),
            tilt: Interval::around(0.02, 0.02),
            scale: Interval::around(0.93, 0.01),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn lcd() -> Display {
    Display {
        layout: PixelLayout::rgb_stripe(0.75, 0.62),
        pixel_pitch: Interval::around(1.16, 0.002),
        phase: Interval::new(-0.08, 0.08),
        gamma: Interval::around(2.0, 0.04),
        white: [0.80, 0.95, 1.10],
        brightness: Interval::new(0.95, 1.05),
        black_level: Interval::around(0.03, 0.005),
        bezel: [0.0, 0.0, 0.0, 4.0],
        bezel_colour: [0.20, 0.20, 0.21],
        glare: GlareConfig {
            strength: Interval::around(0.12, 0.02),
            centre: [Interval::around(46.0, 2.0), Interval::around(12.0, 2.0)],
            radii: [Interval::around(16.0, 1.0), Interval::around(8.0, 1.0)],
            angle: Interval::around(0.5, 0.1),
            veil: 0.04,
        },
        placement: PlacementConfig {
            rotation: Interval::around(0.012, 0.002),
            tilt: Interval::around(0.0, 0.002),
            scale: Interval::new(0.99, 1.02),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn oled() -> Display {
    Display {
        layout: PixelLayout::s_stripe(),
        pixel_pitch: Interval::around(1.16, 0.002),
        phase: Interval::new(-0.08, 0.08),
        gamma: Interval::around(2.2, 0.04),
        white: [0.70, 0.95, 1.30],
        brightness: Interval::new(0.95, 1.05),
        black_level: Interval::new(0.0, 0.001),
        bezel: [3.0, 0.0, 0.0, 0.0],
        bezel_colour: [0.012, 0.012, 0.014],
        glare: GlareConfig {
            strength: Interval::around(0.60, 0.05),
            centre: [Interval::around(42.0, 3.0), Interval::around(30.0, 3.0)],
            radii: [Interval::around(9.0, 1.0), Interval::around(5.0, 0.5)],
            angle: Interval::around(1.2, 0.15),
            veil: 0.02,
        },
        placement: PlacementConfig {
            rotation: Interval::around(-0.09, 0.004),
            tilt: Interval::around(-0.004, 0.002),
            scale: Interval::new(1.04, 1.07),
            shift: Interval::around(0.0, 0.5),
        },
    }
}

fn paper_mask() -> PaperMask {
    PaperMask {
        size: Interval::around(0.98, 0.03),
        rim: 0.07,
        cut_edge: 0.045,
        eyes: EyeOpening {
            half_width: Interval::around(0.20, 0.012),
            half_height: Interval::around(0.15, 0.012),
            shadow: Interval::new(0.35, 0.5),
        },
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.25, 0.06),
            exponent: Interval::around(0.90, 0.04),
            black_replacement: 0.3,
        },
        paper: PaperConfig {
            white: [0.86, 0.86, 0.84],
            brightness: Interval::new(0.92, 1.0),
            texture: 0.015,
            bend: Interval::around(0.60, 0.06),
            fold: Interval::around(0.30, 0.04),
            fold_position: Interval::around(-0.5, 0.4),
        },
    }
}

fn resin_mask() -> ResinMask {
    ResinMask {
        size: Interval::around(1.05, 0.03),
        albedo: [0.52, 0.30, 0.20],
        paint: Interval::new(0.94, 1.06),
        detail: 0.65,
        relief: 0.75,
        gloss: Interval::around(0.30, 0.05),
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
            lens: Interval::around(0.34, 0.012),
            aspect: 1.0,
            squareness: 2.0,
            frame: Interval::around(0.10, 0.008),
            roll: Interval::around(0.0, 0.03),
            drop: Interval::around(0.02, 0.02),
        },
        paper: [0.62, 0.48, 0.30],
        brightness: Interval::new(0.92, 1.0),
        inks: InkSet::process(),
        tone: PrintTone {
            saturation: Interval::around(0.20, 0.08),
            exponent: Interval::around(1.0, 0.05),
            black_replacement: 0.5,
        },
        enlargement: 1.0,
    }
}

fn funny_eye_glasses() -> FunnyEyeGlasses {
    FunnyEyeGlasses {
        shape: GlassesShape {
            lens: Interval::around(0.44, 0.012),
            aspect: 0.80,
            squareness: 2.6,
            frame: Interval::around(0.06, 0.008),
            roll: Interval::around(0.0, 0.03),
            drop: Interval::around(0.02, 0.02),
        },
        frame: [0.55, 0.06, 0.04],
        eyeball: [0.90, 0.86, 0.70],
        iris: [0.10, 0.35, 0.10],
        iris_size: 0.36,
        pupil_size: 0.20,
        gaze: [0.0, 0.12],
        roll: Interval::around(0.0, 0.06),
    }
}
