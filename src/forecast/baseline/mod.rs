//! Baselines: what an honest report compares with.
