//! Simulated presentation attacks.
