//! No-reference image quality.
