//! The conformance suite runs every case that it has: one left out of the list would never fail.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

#[test]
fn every_case_is_in_the_suite() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let suite = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut cases = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let noun = path.file_stem().unwrap().to_str().unwrap();
        let Some(listed) = listed(&suite, noun) else {
            assert!(["mod", "stage"].contains(&noun), "`{noun}` is not in the suite");
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let written: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next()).collect();
        assert_eq!(
            listed, written,
            "cases of `{noun}`: on the left those listed, on the right those written"
        );
        cases += listed.len();
    }
    assert!(cases > 100, "{cases} cases were found");
}

/// The cases that the suite lists for `noun`.
fn listed<'a>(suite: &'a str, noun: &str) -> Option<Vec<&'a str>> {
    let (_, block) = suite.split_once(&format!("\n            {noun} {{\n"))?;
    let (cases, _) = block.split_once('}')?;
    Some(
        cases.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty()).collect(),
    )
}
