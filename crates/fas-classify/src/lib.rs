//! Face anti-spoofing classifiers.
