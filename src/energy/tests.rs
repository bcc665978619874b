//! One table for all energies of the module: a new one is a row.

use super::affine::{Affine, AffineMap};
use super::analytic::{Diagonal, Gaussian};
use super::clamp::Clamped;
use super::compose::{MixtureEnergy, Scaled, Sum};
use super::constraint::{Goal, SoftLimits};
use super::coordinates::Coordinates;
use super::differences::Differences;
use super::gumbel::Gumbel;
use super::{ConditionalEnergy, Energy, by_autograd};
use crate::error::Result;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

const COVARIANCE: [f64; 16] = [2., 0.5, 0., 0.1, 0.5, 1., -0.3, 0., 0., -0.3, 0.5, 0.2, 0.1, 0., 0.2, 1.5];

fn tensor(values: &[f64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

fn gaussian() -> Gaussian {
    Gaussian::from_covariance(&[1., -1., 0.5, 0.], &COVARIANCE).unwrap()
}

fn gumbel() -> Gumbel {
    Gumbel::new(&[0., 1., -0.5, 0.2], &[1., 0.5, 2., 1.]).unwrap()
}

fn limits() -> SoftLimits {
    // Broadcasts to (B, 2, 2): one pair of limits per last coordinate, one side open.
    SoftLimits::new(&tensor(&[-0.4, f64::NEG_INFINITY]), &tensor(&[0.3, 0.1]), 3.0).unwrap()
}

fn chosen(indices: &[usize]) -> Coordinates {
    Coordinates::new(indices).unwrap()
}

/// Half the squared distance from the context.
struct Near;

impl ConditionalEnergy for Near {
    fn energy_given(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        super::rows::row_sum(&((x - context)?.sqr()? * 0.5)?)
    }
}

/// Name, shape of one row of its argument, energy.
fn table() -> Vec<(&'static str, Vec<usize>, Box<dyn Energy>)> {
    let template = Noise::new(11).normal((5, 2, 2), DType::F64, &Device::Cpu).unwrap();
    let context = Noise::new(12).normal((5, 4), DType::F64, &Device::Cpu).unwrap();
    let context: &'static Tensor = Box::leak(Box::new(context));
    let goal = |indices: &[usize], target| Goal::new(chosen(indices), &target, 2.0).unwrap();
    let dense = AffineMap::dense(&[0.1, 0.2, 0.3, 0.4], &COVARIANCE).unwrap();
    let diagonal = AffineMap::diagonal(&[0.1, 0.2, 0.3, 0.4], &[1., 2., 0.5, 3.]).unwrap();
    let precision = [2., 0.5, 0.5, 1.];
    let free = ([f64::NEG_INFINITY, f64::INFINITY], 1.0);
    vec![
        ("gaussian by covariance", vec![4], Box::new(gaussian())),
        ("gaussian of an image", vec![2, 2], Box::new(gaussian())),
        ("gaussian by precision", vec![2], Box::new(Gaussian::from_precision(&[0.3, 0.1], &precision).unwrap())),
        ("diagonal", vec![2, 2], Box::new(Diagonal::new(&[0., 1., 2., 3.], &[1., 2., 0.5, 0.1]).unwrap())),
        ("isotropic scalar", vec![], Box::new(Diagonal::isotropic(1, 0.5, 2.0).unwrap())),
        ("gumbel", vec![4], Box::new(gumbel())),
        ("limits", vec![2, 2], Box::new(limits())),
        ("goal", vec![2, 2], Box::new(goal(&[3, 0], tensor(&[0.5, -0.5])))),
        ("goal per chain", vec![4], Box::new(goal(&[2, 1, 0, 3], context.clone()))),
        (
            "positions",
            vec![2],
            Box::new(Differences::new(0, vec![([-0.4, f64::INFINITY], 2.0), ([0.1, 0.3], 1.0)]).unwrap()),
        ),
        ("velocities", vec![2, 2], Box::new(Differences::new(1, vec![([-0.3, 0.3], 2.0), free]).unwrap())),
        ("accelerations", vec![6], Box::new(Differences::new(2, vec![([0.0, 0.0], 1.5), ([-0.5, 0.2], 0.7)]).unwrap())),
        ("sum", vec![2, 2], Box::new(Sum::new().with(gaussian()).with(limits()))),
        ("scaled", vec![4], Box::new(Scaled { energy: gumbel(), factor: -0.7 })),
        ("total", vec![2, 2], Box::new(Sum::new().with(gaussian()).with(limits()).with(goal(&[1], tensor(&[2.0]))))),
        ("total of nothing", vec![4], Box::new(Sum::new())),
        (
            "mixture",
            vec![4],
            Box::new(
                MixtureEnergy::new([(0.3, Box::new(gaussian()) as Box<dyn Energy>), (0.7, Box::new(gumbel()))])
                    .unwrap(),
            ),
        ),
        ("clamped", vec![2], Box::new(Clamped::new(gaussian(), chosen(&[2, 0]), &template).unwrap())),
        ("clamped alike", vec![1], {
            Box::new(Clamped::new(gumbel(), chosen(&[1]), &template.narrow(0, 0, 1).unwrap()).unwrap())
        }),
        ("affine, dense", vec![2, 2], Box::new(Affine::new(gumbel(), dense))),
        ("affine, diagonal", vec![4], Box::new(Affine::new(gumbel(), diagonal))),
        ("given a context", vec![4], Box::new(Near.given(context))),
    ]
}

fn points(shape: &[usize], rows: usize) -> Tensor {
    let shape: Vec<usize> = [&[rows], shape].concat();
    Noise::new(5).normal(shape, DType::F64, &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn analytic_gradients_are_those_of_autograd() {
    for (name, shape, energy) in table() {
        let x = points(&shape, 5);
        let reference = by_autograd(|x| energy.energy(x), &x).unwrap();
        let at = energy.evaluate(&x).unwrap();
        assert_eq!(at.energy.dims(), [5], "{name}");
        assert_eq!(at.grad.dims(), x.dims(), "{name}");
        assert!(!at.grad.track_op() && !at.energy.track_op(), "{name} leaves a graph behind");
        assert!(largest_difference(&at.energy, &reference.energy) < 1e-10, "{name}");
        assert!(largest_difference(&at.grad, &reference.grad) < 1e-10, "{name}");
    }
}

/// Central differences know nothing of autograd: error of order h^2 = 1e-10 times third derivatives, and rounding of
/// 1e-16 / h = 1e-11 times values of at most some hundreds.
#[test]
fn gradients_are_those_of_finite_differences() {
    let h = 1e-5;
    for (name, shape, energy) in table() {
        let x = points(&shape, 5);
        let grad = super::rows::rows(&energy.evaluate(&x).unwrap().grad).unwrap().t().unwrap();
        for (coordinate, column) in grad.to_vec2::<f64>().unwrap().into_iter().enumerate() {
            let moved = |by: f64| {
                let step = Tensor::full(by, (5, 1), &Device::Cpu).unwrap();
                let x = chosen(&[coordinate]).add(&x, &step).unwrap();
                energy.energy(&x).unwrap().to_vec1::<f64>().unwrap()
            };
            for ((up, down), slope) in moved(h).into_iter().zip(moved(-h)).zip(column) {
                let numeric = (up - down) / (2.0 * h);
                assert!(
                    (numeric - slope).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{name}, {coordinate}: {numeric}, {slope}"
                );
            }
        }
    }
}

#[test]
fn single_precision_agrees_with_double() {
    for (name, shape, energy) in table() {
        if name == "given a context" {
            continue; // its test energy does not convert its context
        }
        let x = points(&shape, 5);
        let double = energy.evaluate(&x).unwrap();
        let single = energy.evaluate(&x.to_dtype(DType::F32).unwrap()).unwrap();
        assert_eq!(single.grad.dtype(), DType::F32, "{name}");
        let widen = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
        // Values reach some tens to hundreds; f32 keeps 7 digits and a few are lost in sums.
        let size = 1.0 + double.energy.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(largest_difference(&double.energy, &widen(&single.energy)) < 1e-5 * size, "{name}");
        let size = 1.0 + double.grad.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(largest_difference(&double.grad, &widen(&single.grad)) < 1e-5 * size, "{name}");
    }
}

/// Trapezoidal sums of exp(-E) over a wide interval: exponentially accurate for smooth, vanishing integrands.
#[test]
fn densities_integrate_to_one() {
    let n = 20_001;
    let (from, to) = (-30.0, 60.0);
    let h = (to - from) / (n - 1) as f64;
    let grid: Vec<f64> = (0..n).map(|i| from + h * i as f64).collect();
    let x = Tensor::from_vec(grid, (n, 1), &Device::Cpu).unwrap();
    let narrow = || Box::new(Gaussian::from_covariance(&[1.0], &[0.09]).unwrap());
    let table: Vec<(&str, Box<dyn Energy>)> = vec![
        ("gaussian by covariance", narrow()),
        ("gaussian by precision", Box::new(Gaussian::from_precision(&[-1.0], &[0.4]).unwrap())),
        ("diagonal", Box::new(Diagonal::isotropic(1, 0.5, 2.0).unwrap())),
        ("gumbel", Box::new(Gumbel::new(&[0.5], &[1.7]).unwrap())),
        (
            "mixture",
            Box::new(
                MixtureEnergy::new([
                    (0.25, narrow() as Box<dyn Energy>),
                    (0.75, Box::new(Gumbel::new(&[-2.0], &[0.5]).unwrap())),
                ])
                .unwrap(),
            ),
        ),
        (
            "affine",
            Box::new(Affine::new(Gumbel::new(&[0.5], &[1.7]).unwrap(), AffineMap::diagonal(&[0.3], &[1.6]).unwrap())),
        ),
    ];
    for (name, energy) in table {
        let density = energy.energy(&x).unwrap().neg().unwrap().exp().unwrap();
        let integral = density.sum_all().unwrap().to_scalar::<f64>().unwrap() * h;
        assert!((integral - 1.0).abs() < 1e-10, "{name}: {integral}");
    }
}

#[test]
fn a_clamped_energy_holds_the_rest_and_tolerates_a_gap() {
    let template = Tensor::new(&[[[1.0, f64::NAN], [3.0, 4.0]]], &Device::Cpu).unwrap();
    let clamped = Clamped::new(gaussian(), chosen(&[3, 1]), &template).unwrap();
    assert_eq!(clamped.start().unwrap().to_vec2::<f64>().unwrap()[0][0], 4.0);
    let x = clamped.embed(&Tensor::new(&[[7.0, 8.0], [9.0, 10.0]], &Device::Cpu).unwrap()).unwrap();
    assert_eq!(x.to_vec3::<f64>().unwrap(), [[[1.0, 8.0], [3.0, 7.0]], [[1.0, 10.0], [3.0, 9.0]]]);
    assert!(clamped.embed(&Tensor::new(&[[7.0]], &Device::Cpu).unwrap()).is_err());
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(Coordinates::new(&[]).is_err());
    assert!(Coordinates::new(&[1, 2, 1]).is_err());
    assert!(chosen(&[4]).gather(&points(&[4], 2)).is_err());
    assert!(SoftLimits::new(&tensor(&[1.0]), &tensor(&[0.0]), 1.0).is_err());
    assert!(SoftLimits::new(&tensor(&[f64::NAN]), &tensor(&[0.0]), 1.0).is_err());
    assert!(SoftLimits::new(&tensor(&[0.0]), &tensor(&[0.0, 1.0]), 1.0).is_err());
    assert!(Goal::new(chosen(&[0]), &tensor(&[0.0]), -1.0).is_err());
    assert!(Goal::new(chosen(&[0]), &tensor(&[0.0, 1.0]), 1.0).is_err());
    assert!(MixtureEnergy::new([]).is_err());
    assert!(MixtureEnergy::new([(0.0, Box::new(gumbel()) as Box<dyn Energy>)]).is_err());
    assert!(Diagonal::new(&[0.0], &[0.0]).is_err());
    assert!(gaussian().energy(&points(&[3], 2)).is_err());
    assert!(gaussian().energy(&Tensor::new(1.0, &Device::Cpu).unwrap()).is_err());
}
