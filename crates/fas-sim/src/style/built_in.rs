//! The built-in styles: one layout, and a column of its tables for each domain.
//!
//! Every array of four holds the numbers of `sim-C`, `sim-I`, `sim-M` and `sim-O`, in this order;
//! what stands alone is the same for all. Where a range is given by its middle, its half width
//! says how much a sample changes: a domain owns one device of each kind and only holds it
//! differently. The comment at a line is the unit, `u` being one 64th of the width of the face crop;
//! what has none is a ratio.

use crate::mask::{EyeOpening, PaperMask, ResinMask};
use crate::partial::{FunnyEyeGlasses, GlassesShape, PaperGlasses};
use crate::placement::PlacementConfig;
use crate::print::{HalftonePrinter, InkSet, InkjetPrinter, PaperConfig, PrintTone};
use crate::replay::{Display, GlareConfig, PixelLayout};
use crate::{Interval, LightConfig, StyleProfile};

/// A built-in domain: the column of its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum BuiltIn {
    C,
    I,
    M,
    O,
}

/// Shift of a screen or pixel grid against the sheet or sensor, in periods.
const GRID_PHASE: Interval = Interval::new(-0.08, 0.08);
/// Shift of a flat medium along each axis, in `u`.
const SHIFT: Interval = Interval::around(0.0, 0.5);
/// Factor on the white of office paper.
const OFFICE_PAPER: Interval = Interval::new(0.92, 1.0);
/// Rotation of a pair of glasses about the viewing axis, in radians.
const ROLL: Interval = Interval::around(0.0, 0.03);
/// How far glasses slide down, in eye distances.
const DROP: Interval = Interval::around(0.02, 0.02);
/// No range at all: an unfolded sheet, a fold that is not there.
const NONE: Interval = Interval::fixed(0.0);

impl BuiltIn {
    /// This domain's column.
    fn of<T>(self, [c, i, m, o]: [T; 4]) -> T {
        match self {
            Self::C => c,
            Self::I => i,
            Self::M => m,
            Self::O => o,
        }
    }

    /// Range of `half_width` to either side of this domain's column.
    fn around(self, middles: [f32; 4], half_width: f32) -> Interval {
        Interval::around(self.of(middles), half_width)
    }

    pub(super) fn style(self) -> StyleProfile {
        StyleProfile {
            light: self.light(),
            halftone: self.halftone(),
            inkjet: self.inkjet(),
            lcd: self.lcd(),
            oled: self.oled(),
            paper_mask: self.paper_mask(),
            resin_mask: self.resin_mask(),
            paper_glasses: self.paper_glasses(),
            funny_eye_glasses: self.funny_eye_glasses(),
        }
    }

    fn light(self) -> LightConfig {
        LightConfig {
            temperature: self.of([
                Interval::around(4100.0, 150.0), // K
                Interval::around(3000.0, 120.0),
                Interval::around(5400.0, 200.0),
                Interval::around(7200.0, 250.0),
            ]),
            white_balance: self.around([0.75, 0.72, 0.90, 0.55], 0.04),
            unevenness: self.around([0.05, -0.15, 0.02, 0.10], 0.03),
            angle: self.around([0.45, -0.60, 0.20, 0.35], 0.05), // rad
        }
    }

    fn halftone(self) -> HalftonePrinter {
        HalftonePrinter {
            screen_period: self.around([3.8, 4.4, 3.4, 4.0], 0.03), // u
            screen_angles: self.of([
                [15.0, 75.0, 0.0, 45.0], // degrees
                [45.0, 75.0, 90.0, 15.0],
                [15.0, 45.0, 0.0, 75.0],
                [18.4, 71.6, 0.0, 45.0],
            ]),
            phase: GRID_PHASE,
            dot_softness: self.of([0.25, 0.30, 0.20, 0.18]), // coverage
            light_scatter: self.around([0.45, 0.35, 0.50, 0.55], 0.04),
            inks: InkSet::process(),
            tone: PrintTone {
                saturation: self.around([0.80, 0.55, 0.95, 0.75], 0.06),
                exponent: self.around([0.85, 0.90, 0.80, 0.85], 0.04),
                black_replacement: self.of([0.4, 0.8, 0.2, 0.3]),
            },
            paper: PaperConfig {
                white: self.of([
                    [0.90, 0.83, 0.66], // linear RGB
                    [0.80, 0.80, 0.78],
                    [0.93, 0.90, 0.90],
                    [0.90, 0.91, 0.89],
                ]),
                brightness: Interval::new(0.94, 1.0),
                texture: self.of([0.03, 0.04, 0.015, 0.01]),
                bend: self.around([0.15, 0.30, -0.20, 0.25], 0.08), // rad
                fold: self.of([
                    NONE,
                    Interval::around(0.22, 0.04),
                    NONE,
                    Interval::around(0.12, 0.03),
                ]),
                fold_position: self.around([0.0, 6.0, 0.0, -8.0], 1.0), // u
            },
            placement: PlacementConfig {
                rotation: Interval::around(0.0, 0.015), // rad
                tilt: Interval::around(0.0, 0.015),
                scale: Interval::new(1.0, 1.04),
                shift: SHIFT,
            },
        }
    }

    fn inkjet(self) -> InkjetPrinter {
        InkjetPrinter {
            raster: self.of([128, 112, 144, 136]),               // droplets
            threshold_noise: self.of([0.15, 0.25, 0.10, 0.12]),  // coverage
            band_period: self.around([6.5, 8.0, 5.5, 7.2], 0.1), // u
            band_depth: self.around([0.10, 0.14, 0.08, 0.12], 0.02),
            inks: InkSet::process(),
            tone: PrintTone {
                saturation: self.around([0.80, 0.65, 0.95, 0.85], 0.05),
                exponent: self.around([0.80, 0.85, 0.75, 0.80], 0.04),
                black_replacement: 0.0,
            },
            paper: PaperConfig {
                white: self.of([
                    [0.88, 0.92, 0.98], // linear RGB
                    [0.86, 0.87, 0.86],
                    [0.90, 0.93, 1.00],
                    [0.93, 0.92, 0.88],
                ]),
                brightness: OFFICE_PAPER,
                texture: 0.01,
                bend: self.around([0.1, 0.2, -0.1, 0.15], 0.05), // rad
                fold: NONE,
                fold_position: NONE,
            },
            border: self.around([3.0, 2.0, 2.5, 4.0], 0.3), // u
            ground: self.of([
                [0.10, 0.07, 0.05], // linear RGB
                [0.30, 0.17, 0.08],
                [0.04, 0.06, 0.09],
                [0.22, 0.23, 0.24],
            ]),
            placement: PlacementConfig {
                rotation: self.around([0.04, -0.06, 0.0, 0.08], 0.015), // rad
                tilt: self.around([0.0, 0.02, -0.03, 0.01], 0.02),
                scale: self.around([0.95, 0.93, 0.96, 0.97], 0.01),
                shift: SHIFT,
            },
        }
    }

    fn lcd(self) -> Display {
        Display {
            layout: self.of([
                PixelLayout::rgb_stripe(0.85, 0.72), // lit part of the stripe, of the row
                PixelLayout::rgb_stripe(0.75, 0.62),
                PixelLayout::rgb_stripe(0.90, 0.80),
                PixelLayout::rgb_stripe(0.80, 0.68),
            ]),
            pixel_pitch: self.around([1.19, 1.16, 1.22, 1.145], 0.002), // sensor pixels
            phase: GRID_PHASE,
            gamma: self.around([2.3, 2.0, 2.2, 2.2], 0.04),
            white: self.of([
                [0.92, 1.05, 1.25], // linear RGB
                [0.80, 0.95, 1.10],
                [1.00, 1.05, 1.15],
                [1.05, 1.05, 1.05],
            ]),
            brightness: Interval::new(0.95, 1.05),
            black_level: self.around([0.015, 0.03, 0.008, 0.01], 0.005),
            bezel: self.of([
                [0.0, 0.0, 0.0, 0.0], // u
                [0.0, 0.0, 0.0, 4.0],
                [3.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, 3.0],
            ]),
            bezel_colour: self.of([
                [0.02, 0.02, 0.02], // linear RGB
                [0.20, 0.20, 0.21],
                [0.85, 0.85, 0.85],
                [0.015, 0.015, 0.015],
            ]),
            glare: GlareConfig {
                strength: self.around([0.06, 0.12, 0.05, 0.04], 0.02), // diffuse white
                centre: [Interval::around(46.0, 2.0), Interval::around(12.0, 2.0)], // u
                radii: [Interval::around(16.0, 1.0), Interval::around(8.0, 1.0)], // u
                angle: Interval::around(0.5, 0.1),                     // rad
                veil: self.of([0.02, 0.04, 0.015, 0.015]),
            },
            placement: PlacementConfig {
                rotation: self.around([0.0, 0.012, -0.015, 0.006], 0.002), // rad
                tilt: Interval::around(0.0, 0.002),
                scale: Interval::new(0.99, 1.02),
                shift: SHIFT,
            },
        }
    }

    fn oled(self) -> Display {
        Display {
            layout: PixelLayout::s_stripe(),
            pixel_pitch: self.around([1.135, 1.16, 1.12, 1.105], 0.002), // sensor pixels
            phase: GRID_PHASE,
            gamma: self.around([2.4, 2.2, 2.5, 2.3], 0.04),
            white: self.of([
                [0.80, 1.0, 1.45], // linear RGB
                [0.70, 0.95, 1.30],
                [0.72, 0.98, 1.60],
                [0.78, 1.0, 1.35],
            ]),
            brightness: Interval::new(0.95, 1.05),
            black_level: Interval::new(0.0, 0.001),
            bezel: self.of([
                [0.0, 0.0, 0.0, 0.0], // u
                [3.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 2.5, 0.0],
                [0.0, 0.0, 3.0, 0.0],
            ]),
            bezel_colour: [0.012, 0.012, 0.014], // linear RGB
            glare: GlareConfig {
                strength: self.around([0.45, 0.60, 0.35, 0.40], 0.05), // diffuse white
                centre: [
                    self.around([45.0, 42.0, 38.0, 48.0], 3.0), // u
                    self.around([16.0, 30.0, 10.0, 22.0], 3.0),
                ],
                radii: [
                    self.around([13.0, 9.0, 17.0, 11.0], 1.0), // u
                    self.around([4.5, 5.0, 4.0, 6.0], 0.5),
                ],
                angle: self.around([-0.6, 1.2, 0.2, 0.8], 0.15), // rad
                veil: 0.02,
            },
            placement: PlacementConfig {
                rotation: self.around([0.07, -0.09, 0.10, -0.06], 0.004), // rad
                tilt: self.around([0.004, -0.004, 0.006, -0.005], 0.002),
                scale: Interval::new(1.04, 1.07),
                shift: SHIFT,
            },
        }
    }

    fn paper_mask(self) -> PaperMask {
        PaperMask {
            size: self.around([1.02, 0.98, 1.06, 1.00], 0.03),
            rim: self.of([0.11, 0.07, 0.14, 0.09]), // half axes
            cut_edge: 0.045,                        // eye distances
            eyes: EyeOpening {
                half_width: self.around([0.225, 0.20, 0.24, 0.21], 0.012), // eye distances
                half_height: self.around([0.13, 0.15, 0.12, 0.11], 0.012), // eye distances
                shadow: Interval::new(0.35, 0.5),
            },
            inks: InkSet::process(),
            tone: PrintTone {
                saturation: self.around([0.60, 0.25, 0.80, 0.50], 0.06),
                exponent: self.around([0.85, 0.90, 0.80, 0.80], 0.04),
                black_replacement: 0.3,
            },
            paper: PaperConfig {
                white: self.of([
                    [0.93, 0.91, 0.86], // linear RGB
                    [0.86, 0.86, 0.84],
                    [0.95, 0.96, 0.99],
                    [0.94, 0.93, 0.92],
                ]),
                brightness: OFFICE_PAPER,
                texture: 0.015,
                bend: self.around([0.45, 0.60, 0.35, 0.50], 0.06), // rad
                fold: self.around([0.20, 0.30, 0.12, 0.25], 0.04),
                fold_position: Interval::around(-0.5, 0.4), // u
            },
        }
    }

    fn resin_mask(self) -> ResinMask {
        ResinMask {
            size: self.around([1.10, 1.05, 1.12, 1.16], 0.03),
            albedo: self.of([
                [0.62, 0.40, 0.28], // linear RGB
                [0.52, 0.30, 0.20],
                [0.66, 0.50, 0.42],
                [0.58, 0.38, 0.32],
            ]),
            paint: Interval::new(0.94, 1.06),
            detail: 0.65,
            relief: self.of([0.70, 0.75, 0.70, 0.75]),
            gloss: self.around([0.40, 0.30, 0.45, 0.40], 0.05), // diffuse white
            eyes: EyeOpening {
                half_width: Interval::around(0.20, 0.01),    // eye distances
                half_height: Interval::around(0.115, 0.008), // eye distances
                shadow: Interval::new(0.65, 0.85),
            },
        }
    }

    fn paper_glasses(self) -> PaperGlasses {
        PaperGlasses {
            shape: GlassesShape {
                lens: self.around([0.36, 0.34, 0.38, 0.40], 0.012), // eye distances
                aspect: self.of([0.85, 1.0, 0.75, 0.90]),
                squareness: self.of([3.0, 2.0, 4.0, 2.4]), // exponent
                frame: self.around([0.11, 0.10, 0.10, 0.08], 0.008), // eye distances
                roll: ROLL,
                drop: DROP,
            },
            paper: self.of([
                [0.92, 0.90, 0.84], // linear RGB
                [0.62, 0.48, 0.30],
                [0.93, 0.95, 0.98],
                [0.90, 0.88, 0.60],
            ]),
            brightness: OFFICE_PAPER,
            inks: InkSet::process(),
            tone: PrintTone {
                saturation: self.around([0.40, 0.20, 0.70, 0.55], 0.08),
                exponent: Interval::around(1.0, 0.05),
                black_replacement: 0.5,
            },
            enlargement: self.of([1.1, 1.0, 1.2, 1.0]),
        }
    }

    fn funny_eye_glasses(self) -> FunnyEyeGlasses {
        FunnyEyeGlasses {
            shape: GlassesShape {
                lens: self.around([0.40, 0.44, 0.38, 0.42], 0.012), // eye distances
                aspect: self.of([0.95, 0.80, 1.05, 0.90]),
                squareness: self.of([2.0, 2.6, 2.0, 3.2]), // exponent
                frame: self.around([0.08, 0.06, 0.12, 0.09], 0.008), // eye distances
                roll: ROLL,
                drop: DROP,
            },
            frame: self.of([
                [0.03, 0.03, 0.03], // linear RGB
                [0.55, 0.06, 0.04],
                [0.80, 0.55, 0.04],
                [0.10, 0.25, 0.55],
            ]),
            eyeball: self.of([
                [0.92, 0.92, 0.90], // linear RGB
                [0.90, 0.86, 0.70],
                [0.94, 0.94, 0.94],
                [0.95, 0.93, 0.90],
            ]),
            iris: self.of([
                [0.05, 0.20, 0.55], // linear RGB
                [0.10, 0.35, 0.10],
                [0.30, 0.14, 0.05],
                [0.45, 0.30, 0.05],
            ]),
            iris_size: self.of([0.45, 0.36, 0.52, 0.40]), // lenses
            pupil_size: self.of([0.22, 0.20, 0.26, 0.24]), // lenses
            gaze: self.of([[0.10, 0.0], [0.0, 0.12], [0.18, 0.05], [-0.08, 0.0]]), // lenses
            roll: Interval::around(0.0, 0.06),            // lenses
        }
    }
}
