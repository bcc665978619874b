//! Axes, grid and lines of one panel, on plotters' SVG backend.
//!
//! No font library is linked: text is placed by its anchor alone, and its look is left to the viewer's sans-serif.

use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// plotters places everything on whole units: the picture is drawn this much larger and shown at its own size.
pub(super) const SCALE: i32 = 8;

/// plotters divides a font size by this before it writes it.
const FONT: f64 = 1.24;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const SOFT: RGBColor = RGBColor(0x66, 0x66, 0x66);
pub(super) const FLOOR: RGBColor = RGBColor(0x77, 0x77, 0x77);
const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Okabe and Ito's colours, told apart with any colour vision, without the too light yellow; the first is the
/// subject's.
pub(super) const PALETTE: [RGBColor; 6] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a picture of `width` x `height` and returns the SVG document.
///
/// # Errors
/// [`Error::Unwritable`] when plotters refuses.
pub(super) fn picture(width: i32, height: i32, draw: impl FnOnce(&Area) -> Result<()>) -> Result<String> {
    let (w, h) = ((width * SCALE) as u32, (height * SCALE) as u32);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (w, h)).into_drawing_area();
        area.fill(&PAPER).map_err(refused)?;
        draw(&area)?;
        area.present().map_err(refused)?;
    }
    Ok(svg.replacen(&format!("width=\"{w}\" height=\"{h}\""), &format!("width=\"{width}\" height=\"{height}\""), 1))
}

/// plotters' error as ours.
pub(super) fn refused(error: impl std::fmt::Display) -> Error {
    Error::unwritable("a plot", "SVG")(error)
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

/// Writes `text` of `size` at `(x, y)`, vertically centred.
pub(super) fn text(area: &Area, text: &str, x: i32, y: i32, size: i32, colour: RGBColor, anchor: Anchor) -> Result<()> {
    let h = match anchor {
        Anchor::Left => HPos::Left,
        Anchor::Centre => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let style =
        ("sans-serif", f64::from(size * SCALE) * FONT).into_font().color(&colour).pos(Pos::new(h, VPos::Center));
    area.draw(&Text::new(text.to_string(), (x * SCALE, y * SCALE), style)).map_err(refused)
}

/// A line, its points in the units of the axes.
pub(super) struct Line {
    pub points: Vec<(f64, f64)>,
    pub colour: RGBColor,
    pub opacity: f64,
    pub width: f64,
    pub dashed: bool,
}

impl Line {
    fn style(&self) -> ShapeStyle {
        let width = (self.width * f64::from(SCALE)).round() as u32;
        self.colour.mix(self.opacity).stroke_width(width)
    }

    /// Its sample in a legend, centred at `(x, y)`.
    pub(super) fn swatch(&self, area: &Area, x: i32, y: i32) -> Result<()> {
        let (x, y) = (x * SCALE, y * SCALE);
        self.draw_path(area, vec![(x - 11 * SCALE, y), (x + 11 * SCALE, y)])
    }

    fn draw_path(&self, area: &Area, path: Vec<(i32, i32)>) -> Result<()> {
        if self.dashed {
            let series = DashedLineSeries::new(path, 5 * SCALE, 4 * SCALE, self.style());
            series.into_iter().try_for_each(|element| area.draw(&element)).map_err(refused)
        } else {
            area.draw(&PathElement::new(path, self.style())).map_err(refused)
        }
    }
}

/// Range of an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// Holds all `values`, with a margin.
    pub(super) fn linear(values: impl Iterator<Item = f64> + Clone, from_zero: bool) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let low = if from_zero { low.min(0.0) } else { low };
        let margin = 0.05 * (high - low);
        let margin = if margin > 0.0 { margin } else { 0.5 * high.abs().max(1.0) };
        Self { low: if from_zero { low } else { low - margin }, high: high + margin, log: false }
    }

    /// Exactly from `low` to `high`.
    pub(super) fn exactly(low: f64, high: f64) -> Self {
        Self { low, high, log: false }
    }

    /// Logarithmic where the positive values span more than a factor of 20, else linear from 0. Values down to a
    /// millionth of the largest are shown; smaller ones stand at the lower edge.
    pub(super) fn for_positive(values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let low = values.clone().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min).max(high * 1e-6);
        if low.is_finite() && high / low > 20.0 {
            Self { low: low / 1.25, high: high * 1.25, log: true }
        } else {
            Self::linear(values, true)
        }
    }

    pub(super) fn is_log(&self) -> bool {
        self.log
    }

    /// Position between 0 (low end) and 1.
    fn place(&self, v: f64) -> f64 {
        let map = |v: f64| if self.log { v.max(self.low).log10() } else { v };
        (map(v) - map(self.low)) / (map(self.high) - map(self.low))
    }

    /// Round values with their labels.
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.log { self.log_ticks() } else { self.linear_ticks() }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / 5.0;
        let power = rough.log10().floor();
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * 10_f64.powf(power)).into_iter().find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (self.low / step).ceil() as i64;
        (first..)
            .map(|i| i as f64 * step)
            .take_while(|v| *v <= self.high + step * 1e-9)
            .map(|v| (v, format!("{:.decimals$}", if v.abs() < step * 1e-9 { 0.0 } else { v })))
            .collect()
    }

    fn log_ticks(&self) -> Vec<(f64, String)> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().floor() as i32);
        let decades = self.high.log10() - self.low.log10();
        let stride = (decades / 6.0).ceil().max(1.0) as usize;
        let multiples: &[f64] = if decades < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for k in (first..=last).step_by(stride) {
            for m in multiples {
                let value = m * 10_f64.powi(k);
                if value >= self.low && value <= self.high {
                    let decimals = (-k).max(0) as usize;
                    let label = if (-4..=4).contains(&k) { format!("{value:.decimals$}") } else { format!("{m}e{k}") };
                    ticks.push((value, label));
                }
            }
        }
        ticks
    }
}

/// A rectangle in picture units.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Frame {
    fn point(&self, x: &Axis, y: &Axis, (px, py): (f64, f64)) -> (i32, i32) {
        let at = |low: i32, high: i32, part: f64| {
            (f64::from(SCALE) * (f64::from(low) + f64::from(high - low) * part)).round() as i32
        };
        (at(self.left, self.right, x.place(px)), at(self.bottom, self.top, y.place(py)))
    }

    /// Grid, tick labels and lines.
    pub(super) fn draw(&self, area: &Area, x: &Axis, y: &Axis, lines: &[Line], labels: i32) -> Result<()> {
        let grid = |from: (f64, f64), to: (f64, f64)| {
            let path = vec![self.point(x, y, from), self.point(x, y, to)];
            area.draw(&PathElement::new(path, GRID.stroke_width(SCALE as u32))).map_err(refused)
        };
        for (value, label) in y.ticks() {
            grid((x.low, value), (x.high, value))?;
            let (_, row) = self.point(x, y, (x.low, value));
            text(area, &label, self.left - 7, row / SCALE, labels, SOFT, Anchor::Right)?;
        }
        for (value, label) in x.ticks() {
            grid((value, y.low), (value, y.high))?;
            let (column, _) = self.point(x, y, (value, y.low));
            text(area, &label, column / SCALE, self.bottom + labels, labels, SOFT, Anchor::Centre)?;
        }
        for line in lines {
            line.draw_path(area, line.points.iter().map(|p| self.point(x, y, *p)).collect())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |axis: Axis| axis.ticks().into_iter().map(|(_, l)| l).collect::<Vec<_>>();
        assert_eq!(labels(Axis::exactly(0.0, 4.0)), ["0", "1", "2", "3", "4"]);
        assert_eq!(labels(Axis::exactly(-0.13, 0.22)), ["-0.1", "0.0", "0.1", "0.2"]);
        let wide = Axis::for_positive([0.0, 0.004, 3.0, 210.0].into_iter());
        assert!(wide.is_log());
        assert_eq!(labels(wide), ["0.01", "0.1", "1", "10", "100"]);
        assert!((0.0..=1.0).contains(&wide.place(0.0)));
        let narrow = Axis::for_positive([0.3, 1.2].into_iter());
        assert!(!narrow.is_log());
        assert_eq!(labels(Axis::linear([2.0, 2.0].into_iter(), false)).len(), 5);
    }
}
