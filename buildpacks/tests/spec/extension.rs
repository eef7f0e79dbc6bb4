//! Image extensions: Image Extension specification, "Detection" and "Generation"; Platform,
//! "generator". What a Dockerfile may hold is tested where it is read.

use std::fs;

use buildpacks::agent::{Code, Wants};

use crate::site::{Ran, Site, listed, pack, script, toml_order};

const DOCKERFILE: &str = "ARG base_image\nFROM ${base_image}\nRUN apt-get install -y";

/// A builder with one extension, `acme/e`, which provides `tool` and is in the order.
fn site(order: &str, packs: &[crate::site::Pack]) -> Site {
    let site = Site::new(order, packs);
    let head = "[[order-extensions]]\n[[order-extensions.group]]\nid = \"acme/e\"\n";
    let text = format!("{head}{}", toml_order(order));
    fs::write(site.roots.cnb.join("order.toml"), text).unwrap();
    write(
        &site,
        "extension.toml",
        "api = \"0.10\"\n[extension]\nid = \"acme/e\"\nversion = \"1\"\n",
    );
    write(&site, "detect/plan.toml", "[[provides]]\nname = \"tool\"\n");
    site
}

fn home(site: &Site) -> std::path::PathBuf {
    site.roots.cnb.join("extensions/acme_e/1")
}

fn write(site: &Site, name: &str, text: &str) {
    let path = home(site).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A buildpack that requires `tool`.
fn wanting() -> crate::site::Pack {
    let plan = "[[requires]]\\nname = \"tool\"\\n[requires.metadata]\\nsharp = true\\n";
    pack("a").detect(&format!("echo x >> count; printf '{plan}' > $2"))
}

#[track_caller]
fn wants(ran: Ran) -> Wants {
    match ran.outcome {
        buildpacks::agent::Outcome::Wants(wants) => wants,
        other => panic!("{other:?}\n{}", ran.log),
    }
}

#[test]
fn ext_detection_an_extension_without_programs_is_a_filled_output_folder() {
    let mut site = site("a", &[wanting().build("cp \"$3\" plan")]);
    write(&site, "generate/build.Dockerfile", &format!("{DOCKERFILE} jq"));
    write(&site, "generate/run.Dockerfile", &format!("{DOCKERFILE} figlet jq"));
    let wants = wants(site.build());
    assert_eq!(listed(&wants.packages.build), "jq");

    // The same in the other image: nobody is asked again, and the plan is without what is met.
    site.extended = (wants.packages.build, Some(wants.detection));
    let built = site.build().built();
    assert_eq!(listed(&built.packages), "figlet jq");
    assert_eq!((built.group[0].id.as_str(), built.extensions[0].id.as_str()), ("a", "acme/e"));
    assert_eq!(site.said("count"), "x\n");
    assert_eq!(site.said("plan"), "entries = []\n");
}

#[test]
fn ext_detection_an_extension_that_nobody_needs_drops_out() {
    let site = site("a", &[pack("a")]);
    write(&site, "generate/build.Dockerfile", "FROM scratch");
    let built = site.build().built();
    assert!(built.extensions.is_empty() && built.packages.is_empty());
}

#[test]
fn ext_detection_extensions_alone_build_nothing() {
    let site = site("a?", &[pack("a").detect("exit 100")]);
    write(&site, "detect/plan.toml", "");
    let ran = site.build();
    assert_eq!(ran.shown(), "code 20");
    assert!(!ran.log.contains("acme/e"), "{}", ran.log);
}

#[test]
fn ext_detection_an_extension_must_not_require() {
    let site = site("a", &[wanting()]);
    write(&site, "detect/plan.toml", "[[requires]]\nname = \"x\"\n");
    let ran = site.build();
    assert_eq!(ran.shown(), "code 21", "{}", ran.log);
}

#[test]
fn ext_generation_sees_its_environment_and_its_part_of_the_plan() {
    let site = site("a", &[wanting()]);
    let generate = r#"
        [ "$1" = "$CNB_OUTPUT_DIR" ] && [ "$2" = "$CNB_PLATFORM_DIR" ] && [ "$3" = "$CNB_BP_PLAN_PATH" ]
        [ -d "$CNB_EXTENSION_DIR" ] && [ -z "${CNB_BUILDPACK_DIR:-}" ] && [ "$CNB_TARGET_OS" = linux ]
        [ -z "$(ls -A "$1")" ]
        grep -q 'name = "tool"' "$3" && grep -q 'sharp = true' "$3"
        printf 'ARG base_image\nFROM $base_image\nARG what=vim\nRUN apt-get install ${what}\n' > "$1/build.Dockerfile"
        printf '[[build.args]]\nname = "what"\nvalue = "jq nano"\n' > "$1/extend-config.toml"
        echo generated"#;
    script(&home(&site).join("bin/generate"), generate);
    let ran = site.build();
    assert!(ran.log.contains("generated"), "{}", ran.log);
    assert_eq!(listed(&wants(ran).packages.build), "jq nano");
}

#[test]
fn pl_generator_exit_codes() {
    let site = site("a", &[wanting()]);
    let generate = home(&site).join("bin/generate");
    script(&generate, "echo ' !     no luck'; echo ' !     hint: try again'; exit 4");
    let failed = site.build().failed();
    assert_eq!((failed.code, failed.code.number()), (Code::ExtensionGenerate, 91));
    assert_eq!((failed.reason.as_str(), failed.hint.as_deref()), ("no luck", Some("try again")));

    script(&generate, "printf 'FROM $base_image\nCOPY a b\n' > $1/run.Dockerfile");
    let failed = site.build().failed();
    assert_eq!((failed.code, failed.code.number()), (Code::Generate, 92));
    let line =
        "run.Dockerfile of the extension acme/e@1, line 2: `COPY a b`: only the installation";
    assert!(failed.reason.starts_with(line), "{}", failed.reason);
}

#[test]
fn ext_generation_changes_that_go_away_lead_back_to_the_base_image() {
    let mut site = site("a", &[pack("a")]);
    site.extended.0.insert("jq".parse().unwrap());
    assert_eq!(listed(&wants(site.build()).packages.build), "");
}

#[test]
fn ext_order_an_extension_may_be_chosen_like_a_buildpack() {
    let mut site = Site::new("a", &[wanting()]);
    let folder = site.roots.buildpacks.join("=/0");
    for (name, text) in [
        ("extension.toml", "api = \"0.10\"\n[extension]\nid = \"acme/own\"\nversion = \"1\"\n"),
        ("detect/plan.toml", "[[provides]]\nname = \"tool\"\n"),
        ("generate/build.Dockerfile", &format!("{DOCKERFILE} jq")),
    ] {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    assert_eq!(site.build().shown(), "code 20", "nobody provides it");
    site.chosen = vec![buildpacks::agent::Chosen::Folder("=/0".to_owned())];
    assert_eq!(listed(&wants(site.build()).packages.build), "jq");
}
