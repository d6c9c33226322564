//! The floors of the house: which crate of the workspace may import which, and who alone may hold a heavy
//! dependency. The table is the rule; ARCHITECTURE.md explains it.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::tree::{Finding, SourceFile};

/// Crate (its folder's name) and what it may depend on. Arrows go down only.
const EDGES: &[(&str, &[&str])] = &[
    // 0
    ("domain", &[]),
    ("hoopoe-webhooks", &[]),
    ("hoopoe-client", &["hoopoe-webhooks"]),
    // 1
    ("store", &["domain", "hoopoe-webhooks"]),
    ("catalogue", &["domain"]),
    // 2: strangers to each other
    ("store-sqlite", &["domain", "store"]),
    ("store-postgres", &["domain", "store"]),
    // 3: strangers to each other
    ("api", &["domain", "hoopoe-webhooks", "store", "catalogue"]),
    ("delivery", &["domain", "hoopoe-webhooks", "store", "catalogue"]),
    ("console", &["domain"]),
    // 4: the only one that names a backend
    (
        "hoopoe",
        &[
            "domain",
            "hoopoe-webhooks",
            "hoopoe-client",
            "store",
            "catalogue",
            "store-sqlite",
            "store-postgres",
            "api",
            "delivery",
            "console",
        ],
    ),
    // beside the house
    ("testkit", &["domain", "hoopoe-webhooks", "store"]),
    ("xtask", &["domain", "catalogue"]),
    ("fuzz", &["domain", "hoopoe-webhooks", "catalogue"]),
];

/// Dependencies that one crate holds so that nobody else knows them.
const HEAVY: &[(&str, &[&str])] = &[
    ("jsonschema", &["catalogue"]),
    ("rusqlite", &["store-sqlite"]),
    ("tokio-postgres", &["store-postgres"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Dev,
}

struct Dependency<'t> {
    key: &'t str,
    value: &'t Value,
    kind: Kind,
}

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let ours = files.iter().find(|file| file.path == "Cargo.toml").map(workspace_crates).unwrap_or_default();
    manifests.flat_map(|file| check_manifest(file, &ours)).collect()
}

/// Keys of `[workspace.dependencies]` that are crates of ours, with their folders' names.
fn workspace_crates(root: &SourceFile) -> BTreeMap<String, String> {
    let manifest: Table = root.text.parse().unwrap_or_default();
    let dependencies = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let dependencies = dependencies.and_then(Value::as_table).into_iter().flatten();
    dependencies.filter_map(|(key, value)| Some((key.clone(), folder(value)?))).collect()
}

fn folder(dependency: &Value) -> Option<String> {
    let path = dependency.get("path")?.as_str()?;
    path.rsplit('/').next().map(str::to_owned)
}

fn check_manifest(file: &SourceFile, ours: &BTreeMap<String, String>) -> Vec<Finding> {
    let name = file.path.rsplit('/').nth(1).unwrap_or_default();
    let Ok(manifest) = file.text.parse::<Table>() else {
        return vec![Finding::new(file, 1, "the manifest does not parse", "correct its TOML")];
    };
    let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == name) else {
        let remedy = "give it a floor in the table of xtask/src/tidy/floors.rs and in ARCHITECTURE.md";
        return vec![Finding::new(file, 1, format!("the crate `{name}` stands on no floor"), remedy)];
    };
    let judged = dependencies(&manifest).into_iter().filter_map(|dependency| {
        let (wrong, remedy) = match folder(dependency.value).as_ref().or_else(|| ours.get(dependency.key)) {
            Some(crate_of_ours) => judge_edge(name, allowed, crate_of_ours, &dependency)?,
            None => judge_heavy(name, &dependency)?,
        };
        Some(Finding::new(file, line_of(&file.text, dependency.key), wrong, remedy))
    });
    judged.collect()
}

fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = std::iter::once(manifest).chain(targets.filter_map(|(_, target)| target.as_table()));
    let sections = [
        ("dependencies", Kind::Normal),
        ("build-dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
    ];
    tables
        .flat_map(|table| sections.map(|(section, kind)| (table.get(section), kind)))
        .flat_map(|(section, kind)| {
            let entries = section.and_then(Value::as_table).into_iter().flatten();
            entries.map(move |(key, value)| Dependency { key, value, kind })
        })
        .collect()
}

fn judge_edge(
    from: &str,
    allowed: &[&str],
    to: &str,
    dependency: &Dependency<'_>,
) -> Option<(String, &'static str)> {
    if dependency.kind == Kind::Normal && has_feature(dependency.value, "conformance") {
        let wrong = format!("`{from}` has the conformance suite in its product");
        return Some((wrong, "ask for the feature under [dev-dependencies]"));
    }
    if allowed.contains(&to) || (to == "testkit" && dependency.kind == Kind::Dev) {
        return None;
    }
    let remedy = if to == "testkit" {
        "move it to [dev-dependencies]"
    } else {
        "arrows go down only; ask through a trait of a lower floor that `hoopoe` wires"
    };
    Some((format!("`{from}` may not depend on `{to}`"), remedy))
}

fn judge_heavy(from: &str, dependency: &Dependency<'_>) -> Option<(String, &'static str)> {
    let (heavy, holders) = HEAVY.iter().find(|(heavy, _)| *heavy == dependency.key)?;
    (dependency.kind == Kind::Normal && !holders.contains(&from)).then(|| {
        let wrong =
            format!("`{from}` may not depend on `{heavy}`, which `{}` keeps to itself", holders.join("`, `"));
        (wrong, "use what that crate offers")
    })
}

fn has_feature(dependency: &Value, feature: &str) -> bool {
    let features = dependency.get("features").and_then(Value::as_array).into_iter().flatten();
    features.filter_map(Value::as_str).any(|name| name == feature)
}

fn line_of(manifest: &str, key: &str) -> usize {
    let begins = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(begins).map_or(1, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::{EDGES, check};
    use crate::tidy::testing::{file, said};

    const ROOT: &str = r#"[workspace.dependencies]
store = { path = "crates/store", package = "hoopoe-store" }
store-sqlite = { path = "crates/store-sqlite" }
api = { path = "crates/api" }
testkit = { path = "crates/testkit" }
serde = "1"
"#;

    fn findings(path: &str, manifest: &str) -> String {
        said(&check(&[file("Cargo.toml", ROOT), file(path, manifest)]))
    }

    #[test]
    fn an_arrow_that_goes_up_or_sideways_is_found() {
        let manifest = "[dependencies]\nstore.workspace = true\nserde.workspace = true\nstore-sqlite = { workspace = true }\n\
                        other = { path = \"../delivery\" }\n[target.'cfg(unix)'.dependencies]\nrusqlite = \"1\"\n";
        expect_test::expect![[r#"
            crates/api/Cargo.toml:5: `api` may not depend on `delivery`; arrows go down only; ask through a trait of a lower floor that `hoopoe` wires
            crates/api/Cargo.toml:4: `api` may not depend on `store-sqlite`; arrows go down only; ask through a trait of a lower floor that `hoopoe` wires
            crates/api/Cargo.toml:7: `api` may not depend on `rusqlite`, which `store-sqlite` keeps to itself; use what that crate offers
        "#]]
        .assert_eq(&findings("crates/api/Cargo.toml", manifest));
    }

    #[test]
    fn test_tools_stay_out_of_the_product() {
        let section = |name: &str| {
            format!(
                "[{name}]\ntestkit.workspace = true\nstore = {{ workspace = true, features = [\"conformance\"] }}\n"
            )
        };
        assert_eq!(findings("crates/store-sqlite/Cargo.toml", &section("dev-dependencies")), "");
        expect_test::expect![[r#"
            crates/store-sqlite/Cargo.toml:3: `store-sqlite` has the conformance suite in its product; ask for the feature under [dev-dependencies]
            crates/store-sqlite/Cargo.toml:2: `store-sqlite` may not depend on `testkit`; move it to [dev-dependencies]
        "#]]
        .assert_eq(&findings("crates/store-sqlite/Cargo.toml", &section("dependencies")));
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        expect_test::expect![[r#"
            crates/util/Cargo.toml:1: the crate `util` stands on no floor; give it a floor in the table of xtask/src/tidy/floors.rs and in ARCHITECTURE.md
        "#]]
        .assert_eq(&findings("crates/util/Cargo.toml", "[package]"));
    }

    #[test]
    fn every_arrow_of_the_table_goes_down() {
        let place = |name: &str| EDGES.iter().position(|(from, _)| *from == name);
        for (from, allowed) in EDGES {
            for to in *allowed {
                assert!(place(to).is_some_and(|to| Some(to) < place(from)), "{from} → {to}");
            }
        }
    }
}
