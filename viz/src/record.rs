//! Scenes to rerun's columns: one chunk per line of a picture, all frames at once.

use crate::style::{self, Style};
use crate::{Links3d, Scene, Skeleton3d};
use rerun::external::re_sdk_types::{SerializedComponentColumn, archetypes as shown, components};
use rerun::{EntityPath, EntityPathPart, RecordingStream, RecordingStreamResult, TimeColumn};

/// The timeline: seconds since the last known frame.
pub(crate) const TIMELINE: &str = "time";

/// Root entity of scene `index`.
pub(crate) fn root(index: usize) -> EntityPath {
    EntityPath::from(format!("scene_{index}"))
}

/// `parent/name`, where `name` may hold any character.
pub(crate) fn child(parent: &EntityPath, name: &str) -> EntityPath {
    parent.join(&EntityPath::new(vec![EntityPathPart::new(name)]))
}

/// Entity of one channel.
pub(crate) fn channel(root: &EntityPath, name: &str) -> EntityPath {
    child(&child(root, "channels"), name)
}

/// Logs everything of `scene` below `root`.
pub(crate) fn scene(stream: &RecordingStream, root: &EntityPath, scene: &Scene) -> RecordingStreamResult<()> {
    for (index, label) in scene.channels.iter().enumerate() {
        channel_lines(stream, &channel(root, &label.name), scene, index)?;
    }
    if let Some(energies) = &scene.energies {
        let at = child(root, "energy");
        let times = seconds(scene.rate_hz, 1, scene.horizon());
        let frames: Vec<Vec<f64>> = (0..scene.horizon()).map(|h| energies.iter().map(|s| s[h]).collect()).collect();
        lines(stream, &child(&at, "samples"), style::SAMPLES, "samples", &times, &frames)?;
        let mean: Vec<Vec<f64>> = frames.iter().map(|frame| vec![mean(frame)]).collect();
        lines(stream, &child(&at, "mean"), style::MEAN, "mean", &times, &mean)?;
    }
    if let Some(skeleton) = &scene.skeleton {
        body(stream, &child(root, "skeleton"), scene.rate_hz, skeleton)?;
    }
    for (i, band) in scene.bands.iter().enumerate() {
        let at = child(&channel(root, &scene.channels[band.channel].name), &format!("asked_{i}"));
        // A gate as long as its frames, half a frame beyond at either end.
        let ends = band.frames.map(|frame| (frame as f64 + 0.5) / scene.rate_hz);
        let times = TimeColumn::new_duration_secs(TIMELINE, ends);
        for (end, value) in ["low", "high"].into_iter().zip(band.range).filter(|(_, v)| v.is_finite()) {
            lines(stream, &child(&at, end), style::ASKED, "asked", &times, &[vec![value], vec![value]])?;
        }
    }
    if let Some(links) = &scene.links {
        ways(stream, &child(root, "links"), scene.rate_hz, links)?;
    }
    let legend = shown::TextDocument::from_markdown(style::legend(scene));
    stream.log_static(child(root, "legend"), &legend)
}

fn channel_lines(stream: &RecordingStream, at: &EntityPath, scene: &Scene, index: usize) -> RecordingStreamResult<()> {
    let known: Vec<Vec<f64>> = scene.history.iter().map(|frame| vec![frame[index]]).collect();
    let known_times = seconds(scene.rate_hz, 1 - known.len() as i64, known.len());
    lines(stream, &child(at, "history"), style::HISTORY, "known", &known_times, &known)?;

    // Every line of the future starts at the last known frame, so that there is no hole at time 0.
    let start = scene.history.last().map(|frame| frame[index]);
    let times = seconds(scene.rate_hz, if start.is_some() { 0 } else { 1 }, start.iter().len() + scene.horizon());
    if let Some(truth) = &scene.truth {
        let truth: Vec<Vec<f64>> = start.into_iter().chain(truth.iter().map(|f| f[index])).map(|v| vec![v]).collect();
        lines(stream, &child(at, "truth"), style::TRUTH, "truth", &times, &truth)?;
    }
    let count = scene.samples.len();
    let forecast = (0..scene.horizon()).map(|h| scene.samples.iter().map(|sample| sample[h][index]).collect());
    let frames: Vec<Vec<f64>> = start.map(|v| vec![v; count]).into_iter().chain(forecast).collect();
    lines(stream, &child(at, "samples"), style::SAMPLES, "samples", &times, &frames)?;
    let summary =
        |of: &dyn Fn(&[f64]) -> f64| -> Vec<Vec<f64>> { frames.iter().map(|frame| vec![of(frame)]).collect() };
    lines(stream, &child(at, "mean"), style::MEAN, "mean", &times, &summary(&mean))?;
    lines(stream, &child(at, "low"), style::BAND, "5 %", &times, &summary(&|frame| quantile(frame, 0.05)))?;
    lines(stream, &child(at, "high"), style::BAND, "95 %", &times, &summary(&|frame| quantile(frame, 0.95)))
}

/// The same number of lines at every time: `frames` is times x lines.
fn lines(
    stream: &RecordingStream,
    at: &EntityPath,
    style: Style,
    name: &str,
    times: &TimeColumn,
    frames: &[Vec<f64>],
) -> RecordingStreamResult<()> {
    let Some(count) = frames.first().map(Vec::len) else { return Ok(()) };
    let look = shown::SeriesLines::new()
        .with_names(vec![name; count])
        .with_colors(vec![colour(style); count])
        .with_widths(vec![style.width; count]);
    stream.log_static(at.clone(), &look)?;
    let values = shown::Scalars::new(frames.iter().flatten().copied());
    let columns: Vec<SerializedComponentColumn> = values.columns(vec![count; frames.len()])?.collect();
    stream.send_columns(at.clone(), [times.clone()], columns)
}

fn body(stream: &RecordingStream, at: &EntityPath, rate_hz: f64, skeleton: &Skeleton3d) -> RecordingStreamResult<()> {
    stream.log_static(at.clone(), &shown::ViewCoordinates::RIGHT_HAND_Z_UP())?;
    let known = skeleton.history.len();
    let real: Vec<&Vec<[f32; 3]>> = skeleton.history.iter().chain(skeleton.truth.iter().flatten()).collect();
    let times = seconds(rate_hz, 1 - known as i64, real.len());
    strips(stream, &child(at, "truth"), style::TRUTH_3D, &times, &skeleton.links, &real)?;
    for (index, sample) in skeleton.samples.iter().enumerate() {
        let at = child(at, &format!("sample_{index}"));
        let frames: Vec<&Vec<[f32; 3]>> = sample.iter().collect();
        let look = style::SAMPLES_3D[index % style::SAMPLES_3D.len()];
        strips(stream, &at, look, &seconds(rate_hz, 1, frames.len()), &skeleton.links, &frames)?;
    }
    Ok(())
}

/// Spheres, and the ways of links: whole, and with a point that goes along.
fn ways(stream: &RecordingStream, at: &EntityPath, rate_hz: f64, links: &Links3d) -> RecordingStreamResult<()> {
    stream.log_static(at.clone(), &shown::ViewCoordinates::RIGHT_HAND_Z_UP())?;
    let (centres, radii): (Vec<_>, Vec<_>) = links.spheres.iter().copied().unzip();
    let spheres = shown::Points3D::new(centres).with_radii(radii).with_colors([colour(style::ASKED)]);
    stream.log_static(child(at, "spheres"), &spheres)?;
    for (index, path) in links.paths.iter().enumerate() {
        let look = style::SAMPLES_3D[index % style::SAMPLES_3D.len()];
        let radius = components::Radius::new_ui_points(look.width);
        let way = shown::LineStrips3D::new([path.clone()]).with_colors([colour(look)]).with_radii([radius]);
        let at = child(at, &format!("path_{index}"));
        stream.log_static(at.clone(), &way)?;
        let point = shown::Points3D::update_fields()
            .with_colors([colour(look)])
            .with_radii([components::Radius::new_ui_points(3.0 * look.width)]);
        let at = child(&at, "now");
        stream.log_static(at.clone(), &point)?;
        let points = shown::Points3D::update_fields().with_positions(path.iter().copied());
        let columns: Vec<SerializedComponentColumn> = points.columns(vec![1; path.len()])?.collect();
        stream.send_columns(at, [seconds(rate_hz, 1, path.len())], columns)?;
    }
    Ok(())
}

fn strips(
    stream: &RecordingStream,
    at: &EntityPath,
    style: Style,
    times: &TimeColumn,
    links: &[(usize, usize)],
    frames: &[&Vec<[f32; 3]>],
) -> RecordingStreamResult<()> {
    if frames.is_empty() || links.is_empty() {
        return Ok(());
    }
    // Points on the screen, not metres: as clear for a hand as for an arm.
    let look = shown::LineStrips3D::update_fields()
        .with_colors([colour(style)])
        .with_radii([components::Radius::new_ui_points(style.width)]);
    stream.log_static(at.clone(), &look)?;
    let strip = |frame: &Vec<[f32; 3]>, &(a, b): &(usize, usize)| [frame[a], frame[b]];
    let all = frames.iter().flat_map(|frame| links.iter().map(move |link| strip(frame, link)));
    let columns: Vec<SerializedComponentColumn> =
        shown::LineStrips3D::update_fields().with_strips(all).columns(vec![links.len(); frames.len()])?.collect();
    stream.send_columns(at.clone(), [times.clone()], columns)
}

fn colour(style: Style) -> components::Color {
    let [red, green, blue, opacity] = style.colour;
    components::Color::from_unmultiplied_rgba(red, green, blue, opacity)
}

/// Times of `count` frames, the first being frame `first` (frame 0 is the last known one).
fn seconds(rate_hz: f64, first: i64, count: usize) -> TimeColumn {
    let frames = (0..count as i64).map(move |frame| (first + frame) as f64 / rate_hz);
    TimeColumn::new_duration_secs(TIMELINE, frames)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Linear interpolation between order statistics (definition 7 of Hyndman & Fan 1996).
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::{mean, quantile};

    #[test]
    fn summaries_of_a_known_sample() {
        let values: Vec<f64> = (0..=20).rev().map(f64::from).collect();
        assert_eq!((mean(&values), quantile(&values, 0.05), quantile(&values, 0.95)), (10.0, 1.0, 19.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.05), 1.05);
        assert_eq!(quantile(&[3.0], 0.95), 3.0);
    }
}
