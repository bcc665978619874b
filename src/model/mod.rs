//! Networks that are energies.
