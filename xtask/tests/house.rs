//! The tree as it is keeps the rules, and what is generated is fresh.

fn told(findings: &[xtask::Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn the_tree_is_tidy() {
    let findings = xtask::tidy::check(&xtask::root()).expect("the tree can be read");
    assert!(findings.is_empty(), "\n{}", told(&findings));
}

#[test]
fn generated_files_are_fresh() {
    let findings = xtask::generate::check(&xtask::root()).expect("the tree can be read");
    assert!(findings.is_empty(), "\n{}", told(&findings));
}
