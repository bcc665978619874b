use super::stored::Store;
use super::*;
use crate::error::Result;
use crate::{DEFAULT_TOLERANCE, Fill, Frames, OnBackwards, OnGap, ReadOptions, Recording, Split, WindowSpec, Windows};
use std::cell::Cell;

thread_local! {
    /// Numbers up to which this test's stay in memory.
    pub(super) static MOST_OF_TEST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What `work` gives where more than `most` numbers go to a file.
fn beyond<T>(most: usize, work: impl FnOnce() -> T) -> T {
    MOST_OF_TEST.set(Some(most));
    let done = work();
    MOST_OF_TEST.set(None);
    done
}

/// Two channels, one of them turning, with empty cells, a gap, and two rows that may be out of order.
fn log(in_order: bool) -> String {
    let row = |k: u32| {
        let (t, turn) = (f64::from(k) / 50.0, (0.2 * f64::from(k)).rem_euclid(std::f64::consts::TAU));
        match k {
            150..170 => String::new(),
            40 | 41 => format!("{t:.2},,{turn}\n"),
            _ => format!("{t:.2},{},{turn}\n", (0.3 * f64::from(k)).sin()),
        }
    };
    let mut order: Vec<u32> = (0..400).collect();
    if !in_order {
        order.swap(60, 61);
    }
    format!("time [s],x,yaw [rad]\n{}", order.into_iter().map(row).collect::<String>())
}

fn frames(options: &ReadOptions) -> Result<[Frames; 3]> {
    let recording = Recording::from_bytes("log.csv", log(options.fill.is_some()).as_bytes(), options)?;
    Ok([
        Frames::resample(&recording, None, DEFAULT_TOLERANCE)?,
        Frames::resample(&recording, Some(20.0), DEFAULT_TOLERANCE)?,
        Frames::resample(&recording, Some(49.9), 0.0)?.in_blocks(20)?,
    ])
}

#[test]
fn what_lies_in_a_file_is_what_lies_in_memory() -> Result<()> {
    let split = ReadOptions {
        on_backwards: OnBackwards::Sort,
        on_gap: OnGap::Split,
        wrap: vec!["yaw".into()],
        max_gap: 3.5,
        ..ReadOptions::default()
    };
    let joined = ReadOptions { fill: Some(Fill::Linear), max_gap: 30.0, ..split.clone() };
    for options in [split, joined] {
        let (memory, file) = (frames(&options)?, beyond(16, || frames(&options))?);
        assert_eq!(memory, file);
        assert!(file.iter().flat_map(|f| &f.episodes).all(|e| e.values.in_file()));
        assert!(!memory.iter().flat_map(|f| &f.episodes).any(|e| e.values.in_file()));
        let spec = WindowSpec { context: 4, future: 6, stride: 3, skip_short: true };
        let windows = |frames: &Frames| -> Result<Vec<f32>> {
            let split = Split::by_block(frames, 0.2, 0.2, 1)?;
            let normaliser = crate::Normaliser::fit(frames, &split.train)?;
            let windows = Windows::new(frames, &split.train, spec)?;
            let mut all = vec![0.0; windows.len() * 20];
            for (i, out) in all.chunks_exact_mut(20).enumerate() {
                windows.fill(i, &normaliser, out)?;
            }
            Ok(all)
        };
        assert_eq!(windows(&memory[2])?, windows(&file[2])?);
    }
    Ok(())
}

#[cfg(all(feature = "parquet", feature = "ros"))]
#[test]
fn every_way_of_writing_and_reading_takes_files_too() -> Result<()> {
    let folder = tempfile::tempdir().map_err(crate::Error::io(".", "create a folder"))?;
    let lines: String = (0..300).map(|k| format!("{},{}.02,{k}.5,{}\n", k / 100, k, k * k)).collect();
    let text = format!("episode,time [s],x,y\n{lines}");
    let options = ReadOptions::default();
    let log = Recording::from_bytes("log.csv", text.as_bytes(), &options)?;
    for name in ["log.csv", "log.csv.gz", "log.parquet", "log.mcap", "log"] {
        let path = folder.path().join(name);
        log.write(&path, &crate::WriteOptions::default())?;
        let back = beyond(8, || Recording::read(&[&path], &options))?;
        assert!(back.episodes.iter().zip(&log.episodes).all(|(a, b)| a.values == b.values), "{name}");
        assert!(back.episodes.len() == 3 && back.episodes.iter().all(|e| e.values.in_file()), "{name}");
        // Many small logs lie in one file too.
        let twice = folder.path().join(format!("twice-{name}"));
        beyond(8, || back.write(&twice, &crate::WriteOptions::default()))?;
        assert_eq!(Recording::read(&[&twice], &options)?.episodes.len(), 3, "{name}");
    }
    Ok(())
}

#[test]
fn numbers_grow_shrink_and_are_shared() -> Result<()> {
    let numbers = |range: std::ops::Range<u32>| range.map(f64::from).collect::<Vec<f64>>();
    let values = beyond(10, || {
        Growing::filled(|growing| {
            growing.extend(&numbers(0..7))?;
            growing.extend(&numbers(7..100))?;
            growing.extend(&numbers(100..103))?;
            growing.truncate(101)?;
            growing.truncate(50)?;
            growing.extend(&numbers(50..60))
        })
    })?;
    assert!(values.in_file());
    assert_eq!(values, numbers(0..60));
    let mut part = values.part(20..30).part(5..10);
    assert_eq!(part, numbers(25..30));
    part[0] = -1.0;
    assert!(!part.in_file(), "what others share is copied");
    assert_eq!((part[0], values[25]), (-1.0, 25.0));
    let mut alone = values;
    alone[25] = -2.0;
    alone.truncate(40);
    assert!(alone.in_file() && alone.len() == 40);
    assert_eq!(alone[25], -2.0, "what only one has is changed in place");
    Ok(())
}

/// What was changed in a map is still there when its pages were taken out of the process.
#[cfg(target_os = "linux")]
#[test]
fn released_pages_come_back() -> Result<()> {
    let mut values = beyond(10, || Growing::filled(|growing| growing.extend(&[3.0; 5000])))?;
    values[4000] = 5.0;
    let Store::File(mapped) = &*values.store else { panic!("numbers in memory") };
    mapped.release();
    assert_eq!((values[3999], values[4000], values.len()), (3.0, 5.0, 5000));
    Ok(())
}
