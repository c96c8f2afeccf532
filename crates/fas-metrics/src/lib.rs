//! Presentation attack detection metrics.
