//! Baselines: what an honest report compares with. Each is a [`Forecaster`](crate::forecast::Forecaster).

mod fc;
mod hold;
mod var;
mod var_fit;
mod velocity;

pub use fc::FullyConnected;
pub use hold::Hold;
pub use var::Autoregression;
pub(super) use var_fit::DELTA_LIMIT;
pub use var_fit::VarFit;
pub use velocity::Velocity;
