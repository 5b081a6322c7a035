//! Landfall web.
