//! `inspect` for people, for CI, and as a page.

use super::*;

/// A file of `tests/data/logs`.
fn kept(name: &str) -> String {
    format!("{}/../../tests/data/logs/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn faults_end_a_strict_run_and_notes_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let (dirty, clean) = (kept("g1_inspire/dirty.csv.gz"), kept("g1_inspire/truth.csv.gz"));
    // Told, but no error unless asked for.
    let found = succeeds(f, &["inspect", &dirty, "--time-column", "t"]);
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.contains("warning swapped_rows") && text.contains("`--max-gap 2.2`"), "{text}");
    let strict = run(f, &["inspect", &dirty, "--time-column", "t", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(String::from_utf8(strict.stdout.clone()).unwrap(), text);
    let message = stderr(&strict);
    assert!(message.contains("11 findings of the kind warning or error") && message.contains("`refused`"), "{message}");
    succeeds(f, &["inspect", &clean, "--time-column", "t", "--strict"]);

    // A constant channel is a note.
    let rows: String =
        (0..200).map(|k| format!("{:.2},{},7\n", 0.02 * f64::from(k), (0.1 * f64::from(k)).sin())).collect();
    std::fs::write(f.join("note.csv"), format!("time,q,mode\n{rows}")).unwrap();
    let noted = succeeds(f, &["inspect", "note.csv", "--strict"]);
    assert!(String::from_utf8(noted.stdout).unwrap().contains("note constant, mode: always 7"));
}

#[test]
fn the_json_has_the_form_that_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        succeeds(folder.path(), &["inspect", &kept("g1_inspire/dirty.csv.gz"), "--time-column", "t", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["format"], "ebmotion inspection 1");
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let findings = json["findings"].as_array().unwrap();
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/inspect.md")).unwrap();
    let gap = findings.iter().find(|f| f["kind"] == "gap").unwrap();
    assert_eq!(
        (&gap["severity"], &gap["count"], &gap["places"][0]["line"]),
        (&"warning".into(), &1.into(), &237.into())
    );
    assert!(gap["advice"].as_str().unwrap().contains("`--on-gap split`"), "{gap}");
    let group = &json["groups"][0];
    for key in [keys(&json), keys(gap), keys(&gap["places"][0]), keys(group), keys(&group["episodes"][0])].concat() {
        assert!(document.contains(&format!("`{key}`")), "{key} is not in docs/inspect.md");
    }
    for kind in ebmotion::trajectory::FindingKind::ALL {
        assert!(document.contains(&format!("| `{kind}` |")), "{kind} is not in docs/inspect.md");
    }
}

#[test]
fn a_page_of_plots_needs_nothing_beside_itself_and_replaces_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    succeeds(f, &["inspect", "log.csv", "--page", "log.html"]);
    let page = std::fs::read_to_string(f.join("log.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("<p>Nothing suspicious.</p>") && page.contains("q_a [rad]"), "{page}");
    for outside in ["http:", "https:", "<script", "<link", "<img", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let before = std::fs::read(f.join("log.csv")).unwrap();
    refuses(f, &["inspect", "log.csv", "--page", "./log.csv"], &["log.csv", "another file"]);
    assert_eq!(before, std::fs::read(f.join("log.csv")).unwrap());
    refuses(f, &["inspect", "log.csv", "--page", "no/where/page.html", "--wrap", "x"], &["`x`"]);
    refuses(f, &["inspect", "nothing.csv"], &["nothing.csv"]);
}
