//! Landfall core.
