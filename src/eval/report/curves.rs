//! A plot of lines over numbers, for experiments outside the report.

use super::canvas::{Anchor, Axis, Frame, INK, Line, PALETTE, SOFT, picture, text};
use super::content::Report;
use crate::error::Result;

impl Report {
    /// A picture beside a report's: lines through points `(x, y)`, each with its name, as SVG; the first one stands
    /// out. Both axes begin at 0. Their labels, x and y, say what they show and in which unit.
    ///
    /// # Errors
    /// [`crate::Error::Unwritable`] when the picture cannot be drawn.
    pub fn curves(title: &str, [x_label, y_label]: [&str; 2], lines: &[(String, Vec<(f64, f64)>)]) -> Result<String> {
        let points = || lines.iter().flat_map(|(_, points)| points.iter());
        let x = Axis::linear(points().map(|p| p.0), true);
        let y = Axis::linear(points().map(|p| p.1), true);
        let (width, height) = (760, 360);
        let frame = Frame { left: 58, top: 50, right: 500, bottom: height - 44 };
        let line = |i: usize, points: &[(f64, f64)]| Line {
            points: points.to_vec(),
            colour: PALETTE[i % PALETTE.len()],
            opacity: 1.0,
            width: if i == 0 { 3.0 } else { 1.8 },
            dashed: i >= PALETTE.len(),
        };
        picture(width, height, |area| {
            text(area, title, 12, 16, 15, INK, Anchor::Left)?;
            text(area, y_label, 12, 34, 11, SOFT, Anchor::Left)?;
            text(area, x_label, (frame.left + frame.right) / 2, frame.bottom + 31, 12, SOFT, Anchor::Centre)?;
            for (i, (name, points)) in lines.iter().enumerate() {
                let row = frame.top + 10 + 20 * i as i32;
                line(i, points).swatch(area, frame.right + 23, row)?;
                text(area, name, frame.right + 40, row, 12, INK, Anchor::Left)?;
            }
            // The first is drawn last, over the others.
            let drawn: Vec<Line> = lines.iter().enumerate().rev().map(|(i, (_, points))| line(i, points)).collect();
            frame.draw(area, &x, &y, &drawn, 12)
        })
    }
}
