//! Baselines: what an honest report compares with. Each is a [`Forecaster`](crate::forecast::Forecaster).

mod analogue;
mod fc;
mod fit;
mod gru;
mod hold;
mod latent;
mod settings;
mod var;
mod var_fit;
mod velocity;

pub use analogue::Analogue;
pub use fc::FullyConnected;
pub use fit::{BASELINES, CLASSIC, Contender, fit_baseline, is_trained};
pub use gru::Recurrent;
pub use hold::Hold;
pub use latent::LatentForecaster;
pub use settings::{AnalogueConfig, BaselineConfig, FieldConfig, Head, LatentConfig, RecurrentConfig};
pub use var::Autoregression;
pub(super) use var_fit::DELTA_LIMIT;
pub use var_fit::VarFit;
pub use velocity::Velocity;
