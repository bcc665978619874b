//! Chains: ways of drawing from an energy.
