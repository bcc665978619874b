//! The report's pictures.

use super::canvas::{Anchor, Area, Axis, FLOOR, Frame, INK, Line, PALETTE, SOFT, picture, text};
use super::{Figure, Report, SUBJECT};
use crate::error::{Error, Result};
use crate::eval::metric::{self, MetricSpec};

/// One figure per metric that has values per step: its value along the horizon in seconds, a line per forecaster, the
/// floor dashed.
///
/// # Errors
/// [`Error::Unwritable`] when a picture cannot be drawn.
pub(crate) fn metric_figures(report: &Report) -> Result<Vec<Figure>> {
    let names = report.names();
    let has_steps = |name: &str, metric: &str| {
        report.forecasters[name].get(metric).is_some_and(|result| !result.per_step.is_empty())
    };
    let drawn = metric::specs().filter(|spec| names.iter().any(|name| has_steps(name, spec.name)));
    drawn.map(|spec| metric_figure(report, spec)).collect()
}

fn metric_figure(report: &Report, spec: &MetricSpec) -> Result<Figure> {
    let rate = report.protocol.rate_hz;
    let points = |per_step: &[f64]| per_step.iter().enumerate().map(|(t, v)| ((t + 1) as f64 / rate, *v)).collect();
    let mut lines: Vec<(String, Line)> = Vec::new();
    for (i, name) in report.names().into_iter().enumerate() {
        if let Some(result) = report.forecasters[name].get(spec.name) {
            let colour = PALETTE[i % PALETTE.len()];
            let width = if name == SUBJECT { 3.0 } else { 1.8 };
            // A seventh line begins the palette again, dashed.
            let dashed = i >= PALETTE.len();
            lines.push((name.into(), Line { points: points(&result.per_step), colour, opacity: 1.0, width, dashed }));
        }
    }
    lines.reverse(); // the subject is drawn last, over the others
    if let Some(floor) = report.floor.get(spec.name).filter(|floor| !floor.per_step.is_empty()) {
        let line = Line { points: points(&floor.per_step), colour: FLOOR, opacity: 1.0, width: 1.8, dashed: true };
        lines.insert(0, ("floor".into(), line));
    }
    let values = || lines.iter().flat_map(|(_, line)| line.points.iter().map(|(_, v)| *v));
    let y = Axis::for_positive(values());
    let x = Axis::exactly(0.0, report.protocol.horizon as f64 / rate);
    let (width, height) = (640, 330);
    let frame = Frame { left: 58, top: 50, right: 520, bottom: height - 44 };
    let scale = if y.is_log() { ", logarithmic" } else { "" };
    let svg = picture(width, height, |area| {
        text(area, spec.title, 12, 16, 15, INK, Anchor::Left)?;
        let better = if spec.lower_is_better { "; less is better" } else { "" };
        text(area, &format!("[{}]{scale}{better}", spec.unit), 12, 34, 11, SOFT, Anchor::Left)?;
        text(area, "time ahead [s]", (frame.left + frame.right) / 2, frame.bottom + 31, 12, SOFT, Anchor::Centre)?;
        // The legend stands in the order in which the lines end, so that it can be read across.
        let mut order: Vec<&(String, Line)> = lines.iter().collect();
        order.sort_by(|a, b| last(&b.1).total_cmp(&last(&a.1)));
        for (row, (name, line)) in order.into_iter().enumerate() {
            let y = frame.top + 10 + 20 * row as i32;
            line.swatch(area, frame.right + 23, y)?;
            text(area, name, frame.right + 40, y, 12, INK, Anchor::Left)?;
        }
        let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
        frame.draw(area, &x, &y, &lines, 12)
    })?;
    let mut definition = spec.definition.chars();
    let first = definition.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let floor = match report.floor.contains_key(spec.name) {
        true => " The dashed line is the floor: real motion against real motion.",
        false => "",
    };
    let caption = format!("{first}{}.{floor}", definition.as_str());
    Ok(Figure { name: spec.name.into(), title: spec.title.into(), caption, svg, wide: false })
}

fn last(line: &Line) -> f64 {
    line.points.last().map_or(0.0, |(_, v)| *v)
}

/// One channel of one window: what was, what followed, and what was forecast, in the channel's own unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForecastPanel {
    /// Heading ("episode 12, q_FFJ3").
    pub title: String,
    /// Unit of the values ("rad").
    pub unit: String,
    /// `(K,)`: the frames before the forecast.
    pub context: Vec<f64>,
    /// `(H,)`: what followed; empty where that is unknown.
    pub truth: Vec<f64>,
    /// `(S)(H,)`: the forecasts.
    pub samples: Vec<Vec<f64>>,
}

/// More samples than this make a fan no clearer.
const FAN: usize = 32;

/// Forecast panels in a grid of `columns`: truth, the fan of samples, their mean; time 0 is the last context frame.
///
/// # Errors
/// [`Error::Data`] when there is no panel or a panel has no sample, [`Error::Unwritable`] when the picture cannot be
/// drawn.
pub(crate) fn forecast_figure(
    name: &str,
    title: &str,
    rate_hz: f64,
    columns: usize,
    panels: &[ForecastPanel],
) -> Result<Figure> {
    if panels.is_empty() || columns == 0 {
        return Err(Error::data("panels of a forecast figure", panels.len(), "at least 1, in at least 1 column"));
    }
    if let Some(panel) = panels.iter().find(|p| p.samples.is_empty() || p.samples.iter().any(Vec::is_empty)) {
        return Err(Error::data(
            format!("samples of the panel `{}`", panel.title),
            0,
            "at least 1 of at least 1 frame",
        ));
    }
    let (columns, rows) = (columns.min(panels.len()), panels.len().div_ceil(columns));
    let (width, height, top) = (1280 / columns as i32, 200, 44);
    let svg = picture(width * columns as i32, top + height * rows as i32 + 8, |area| {
        text(area, title, 12, 16, 15, INK, Anchor::Left)?;
        legend(area)?;
        for (i, panel) in panels.iter().enumerate() {
            let (left, top) = ((i % columns) as i32 * width, top + (i / columns) as i32 * height);
            let frame = Frame { left: left + 52, top: top + 26, right: left + width - 16, bottom: top + height - 34 };
            draw_panel(area, panel, rate_hz, &frame)?;
        }
        Ok(())
    })?;
    let caption = "Thin lines are samples, the thick one their mean, the dark one what really followed (grey: the \
                   frames that the forecaster read)."
        .into();
    Ok(Figure { name: name.into(), title: title.into(), caption, svg, wide: true })
}

fn samples_line(points: Vec<(f64, f64)>) -> Line {
    Line { points, colour: PALETTE[1], opacity: 0.3, width: 1.0, dashed: false }
}

fn mean_line(points: Vec<(f64, f64)>) -> Line {
    Line { points, colour: PALETTE[0], opacity: 1.0, width: 2.2, dashed: false }
}

fn truth_line(points: Vec<(f64, f64)>) -> Line {
    Line { points, colour: INK, opacity: 1.0, width: 1.6, dashed: false }
}

fn context_line(points: Vec<(f64, f64)>) -> Line {
    Line { points, colour: FLOOR, opacity: 1.0, width: 1.6, dashed: false }
}

fn legend(area: &Area) -> Result<()> {
    let entries = [
        ("context", context_line(vec![])),
        ("truth", truth_line(vec![])),
        ("samples", Line { opacity: 0.7, ..samples_line(vec![]) }),
        ("mean", mean_line(vec![])),
    ];
    for (i, (name, line)) in entries.into_iter().enumerate() {
        let x = 24 + 110 * i as i32;
        line.swatch(area, x, 36)?;
        text(area, name, x + 17, 36, 12, SOFT, Anchor::Left)?;
    }
    Ok(())
}

fn draw_panel(area: &Area, panel: &ForecastPanel, rate_hz: f64, frame: &Frame) -> Result<()> {
    let horizon = panel.samples[0].len();
    let origin = panel.context.last().copied();
    let future = |values: &[f64]| -> Vec<(f64, f64)> {
        let start = origin.map(|v| (0.0, v));
        start.into_iter().chain(values.iter().enumerate().map(|(t, v)| ((t + 1) as f64 / rate_hz, *v))).collect()
    };
    let past = panel.context.iter().enumerate();
    let past = past.map(|(t, v)| ((t as f64 - (panel.context.len() - 1) as f64) / rate_hz, *v)).collect();
    let mean: Vec<f64> = (0..horizon)
        .map(|t| panel.samples.iter().filter_map(|s| s.get(t)).sum::<f64>() / panel.samples.len() as f64)
        .collect();
    let fan = panel.samples.iter().take(if panel.samples.len() > 1 { FAN } else { 0 });
    let mut lines: Vec<Line> = fan.map(|sample| samples_line(future(sample))).collect();
    lines.push(context_line(past));
    if !panel.truth.is_empty() {
        lines.push(truth_line(future(&panel.truth)));
    }
    lines.push(mean_line(future(&mean)));
    let values = || lines.iter().flat_map(|line| line.points.iter().map(|(_, v)| *v));
    let y = Axis::linear(values(), false);
    let start = -(panel.context.len().saturating_sub(1) as f64) / rate_hz;
    let x = Axis::exactly(start, horizon as f64 / rate_hz);
    text(area, &format!("{} [{}]", panel.title, panel.unit), frame.left, frame.top - 12, 12, INK, Anchor::Left)?;
    text(area, "time ahead [s]", (frame.left + frame.right) / 2, frame.bottom + 27, 10, SOFT, Anchor::Centre)?;
    frame.draw(area, &x, &y, &lines, 11)
}
