//! Plots and reports.
