//! Learning a network from data.
