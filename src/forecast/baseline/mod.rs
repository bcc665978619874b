//! Baselines: what an honest report compares with. Each is a [`Forecaster`](crate::forecast::Forecaster).

mod hold;
mod var;
mod var_fit;
mod velocity;

pub use hold::Hold;
pub use var::Var;
pub use var_fit::VarFit;
pub use velocity::Velocity;
