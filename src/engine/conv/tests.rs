//! The engine beside loops that say what a convolution is, at every level.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
