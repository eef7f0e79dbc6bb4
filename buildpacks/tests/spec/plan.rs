//! The build plan, from `bin/detect` to `bin/build`: Buildpack specification, "Phase #1" and "Build".

use crate::site::{Pack, Site, pack};

/// A buildpack that writes `plan` and keeps what it is given to build.
fn planner(id: &str, plan: &str) -> Pack {
    pack(id)
        .detect(&format!("cat > \"$2\" <<'EOF'\n{plan}\nEOF"))
        .build(&format!("cp \"$3\" given-{id}; [ \"$CNB_BP_PLAN_PATH\" = \"$3\" ]"))
}

const PROVIDES_X: &str = "[[provides]]\nname = \"x\"";
const REQUIRES_X: &str =
    "[[requires]]\nname = \"x\"\n[requires.metadata]\nversion = \"1\"\nlist = [1, 2]";

#[test]
fn bp_phase_1_groups_with_a_plan() {
    let both = format!("{PROVIDES_X}\n{REQUIRES_X}");
    let alternative = format!("{PROVIDES_X}\n[[or]]\n[[or.provides]]\nname = \"y\"\n[[or]]");
    let check = |a: &str, b: &str, order: &str, expected: &str| {
        let site = Site::new(order, &[planner("a", a), planner("b", b)]);
        assert_eq!(site.build().shown(), expected, "{a} | {b} | {order}");
    };
    check(PROVIDES_X, REQUIRES_X, "a b", "a b");
    check(PROVIDES_X, REQUIRES_X, "b a", "code 20");
    check(PROVIDES_X, "", "a b", "code 20");
    check(PROVIDES_X, "", "a? b", "b");
    check(&both, "", "a b", "a b");
    check(&alternative, "", "a b", "a b");
    check(&alternative, "[[requires]]\nname = \"y\"", "a b", "a b");
    check(PROVIDES_X, REQUIRES_X, "a; b a", "code 20");
    check("not toml =", "", "a? b", "b");
    check("not toml =", "", "a b", "code 21");
}

#[test]
fn bp_build_gets_the_requirements_that_it_provides() {
    let more = "[[requires]]\nname = \"x\"\n[[requires]]\nname = \"y\"";
    let y = "[[provides]]\nname = \"y\"\n[[requires]]\nname = \"y\"";
    let packs =
        [planner("a", PROVIDES_X), planner("y", y), planner("b", REQUIRES_X), planner("c", more)];
    let site = Site::new("a y b c", &packs);
    site.build().built();
    let given: toml::Table = toml::from_str(&site.said("given-a")).unwrap();
    let entries = given["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["metadata"]["version"].as_str(), Some("1"));
    assert_eq!(entries[0]["metadata"]["list"].as_array().unwrap().len(), 2);
    assert!(entries[1].get("metadata").is_none());
    assert!(!site.said("given-b").contains("name"), "it provides nothing");
}

#[test]
fn bp_build_toml_unmet_requirements_go_to_later_buildpacks() {
    let check = |unmet: &str, later: usize, code: &str| {
        let both = format!("{PROVIDES_X}\n{REQUIRES_X}");
        let leaves = format!("cp \"$3\" given-a; cat > \"$1/build.toml\" <<'EOF'\n{unmet}\nEOF");
        let packs = [planner("a", PROVIDES_X).build(&leaves), planner("b", &both)];
        let site = Site::new("a b", &packs);
        let ran = site.build();
        assert_eq!(ran.shown(), code, "{unmet}");
        assert_eq!(site.said("given-b").matches("[[entries]]").count(), later, "{unmet}");
    };
    check("", 0, "a b");
    check("[[unmet]]\nname = \"x\"\nstray = 1", 1, "a b");
    check("[[bom]]\nname = \"x\"", 0, "a b");
    check("[[unmet]]\nname = \"z\"", 0, "code 52");
    check("[[unmet]]\nstray = 1", 0, "code 52");
}

#[test]
fn bp_build_plan_requires_version_as_older_buildpacks_write_it() {
    let both = |requires: &str| format!("{PROVIDES_X}\n[[requires]]\nname = \"x\"\n{requires}");
    let site = Site::new("a", &[planner("a", &both("version = \"2.x\""))]);
    site.build().built();
    let given: toml::Table = toml::from_str(&site.said("given-a")).unwrap();
    assert_eq!(given["entries"][0]["metadata"]["version"].as_str(), Some("2.x"));
    let twice = both("version = \"2.x\"\n[requires.metadata]\nversion = \"3\"");
    assert_eq!(Site::new("a", &[planner("a", &twice)]).build().shown(), "code 21");
}
