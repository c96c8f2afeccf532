//! Colours of the plots, each with its dark-page twin.
//!
//! A plot is drawn in the light colours. The page's dark style sheet replaces each by attribute
//! selector (`[stroke="#0B63B8"]`), so that the same SVG is right on its own and in the page.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour on white and the colour that stands for it on a dark page.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

impl Ink {
    /// The colour a plot is drawn in.
    pub(crate) fn color(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }
}

/// Background of a plot.
pub(crate) const PAPER: Ink = Ink {
    light: (254, 255, 255),
    dark: (22, 27, 34),
};
/// Text.
pub(crate) const TEXT: Ink = Ink {
    light: (31, 41, 55),
    dark: (230, 237, 243),
};
/// Secondary text, thresholds and reference lines.
pub(crate) const MUTED: Ink = Ink {
    light: (85, 96, 112),
    dark: (159, 170, 182),
};
/// Axis lines.
pub(crate) const AXIS: Ink = Ink {
    light: (140, 149, 160),
    dark: (110, 120, 132),
};
/// Grid lines.
pub(crate) const GRID: Ink = Ink {
    light: (228, 232, 237),
    dark: (45, 52, 61),
};

/// Data series in order: at least 3:1 against the page, apart for the common colour deficiencies.
const SERIES: [Ink; 8] = [
    Ink {
        light: (11, 99, 184),
        dark: (94, 177, 255),
    },
    Ink {
        light: (198, 76, 14),
        dark: (255, 157, 92),
    },
    Ink {
        light: (15, 123, 84),
        dark: (79, 211, 154),
    },
    Ink {
        light: (132, 63, 168),
        dark: (214, 155, 234),
    },
    Ink {
        light: (184, 23, 92),
        dark: (255, 143, 184),
    },
    Ink {
        light: (138, 109, 0),
        dark: (224, 192, 74),
    },
    Ink {
        light: (14, 116, 144),
        dark: (76, 201, 224),
    },
    Ink {
        light: (71, 85, 105),
        dark: (169, 182, 200),
    },
];

/// Colour of the series at `index`; the ninth is drawn as the first.
pub(crate) fn series(index: usize) -> Ink {
    SERIES[index % SERIES.len()]
}

/// Colours of [`ramp`].
pub(crate) const RAMP_LENGTH: usize = 5;

/// From low to high, dark blue to orange: ordered by lightness too.
const RAMP: [Ink; RAMP_LENGTH] = [
    Ink {
        light: (43, 38, 122),
        dark: (137, 129, 240),
    },
    Ink {
        light: (39, 97, 150),
        dark: (98, 164, 222),
    },
    Ink {
        light: (32, 137, 131),
        dark: (92, 196, 184),
    },
    Ink {
        light: (122, 164, 52),
        dark: (176, 214, 108),
    },
    Ink {
        light: (224, 150, 20),
        dark: (252, 196, 92),
    },
];

/// Colour of one fifth of a range of values, the lowest first.
pub(crate) fn ramp(fifth: usize) -> Ink {
    RAMP[fifth.min(RAMP_LENGTH - 1)]
}

/// Style rules that turn every colour above into its dark twin.
pub(crate) fn dark_rules() -> String {
    let mut rules = String::new();
    for ink in [PAPER, TEXT, MUTED, AXIS, GRID]
        .into_iter()
        .chain(SERIES)
        .chain(RAMP)
    {
        let (light, dark) = (hex(ink.light), hex(ink.dark));
        for property in ["fill", "stroke"] {
            // Writing to a string cannot fail.
            let _ = writeln!(
                rules,
                "svg.plot [{property}=\"{light}\"] {{ {property}: {dark} }}"
            );
        }
    }
    rules
}

fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_meets_wcag() {
        assert!((contrast((255, 255, 255), (0, 0, 0)) - 21.0).abs() < 1e-9);
        for (ink, least) in [(TEXT, 7.0), (MUTED, 4.5)]
            .into_iter()
            .chain(SERIES.map(|ink| (ink, 4.5)))
        {
            assert!(
                contrast(ink.light, PAPER.light) >= least,
                "{}",
                hex(ink.light)
            );
            assert!(contrast(ink.dark, PAPER.dark) >= least, "{}", hex(ink.dark));
        }
    }

    #[test]
    fn every_light_colour_has_one_meaning() {
        let mut lights: Vec<_> = SERIES.iter().map(|ink| ink.light).collect();
        lights.extend(RAMP.map(|ink| ink.light));
        lights.extend([PAPER, TEXT, MUTED, AXIS, GRID].map(|ink| ink.light));
        let count = lights.len();
        lights.sort_unstable();
        lights.dedup();
        assert_eq!(lights.len(), count);
        assert!(dark_rules().contains("svg.plot [stroke=\"#0B63B8\"] { stroke: #5EB1FF }"));
    }
}
