//! `<layer>.toml`: Buildpack specification, "Layer Types" and "Layer Content Metadata".

use buildpacks::agent::{Contents, Outcome};

use crate::site::{Site, pack};

/// Builds a layer `x` by `script` and shows what came of it.
fn check(api: &str, script: &str, expected: &str) {
    let site = Site::new("a", &[pack("a").api(api).build(&format!("cd \"$1\"\n{script}"))]);
    let ran = site.build();
    let shown = match &ran.outcome {
        Outcome::Failed(_) | Outcome::Wants(_) => ran.shown(),
        Outcome::Built(built) => {
            let show = |layer: &buildpacks::agent::Layer| {
                let types =
                    [(layer.launch, "launch"), (layer.build, "build"), (layer.cache, "cache")];
                let types: Vec<_> = types.iter().filter(|it| it.0).map(|it| it.1).collect();
                let reused = if layer.contents == Contents::Reused { " reused" } else { "" };
                format!("{} {}{reused} {}", layer.name, types.join("+"), layer.metadata)
            };
            built.layers.iter().map(show).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(shown, expected, "{api}: {script}\n{}", ran.log);
}

#[test]
fn bp_layer_types_in_their_table() {
    for api in ["0.7", "0.9", "0.12"] {
        check(api, "mkdir x; printf '[types]\\nlaunch = true\\n' > x.toml", "x launch null");
        check(api, "mkdir x; printf 'launch = true\\n' > x.toml", "code 52");
        check(api, "mkdir x; printf 'build = false\\n[types]\\ncache=true\\n' > x.toml", "code 52");
        check(api, "mkdir x; : > x.toml; touch x/f", "");
        check(api, "mkdir x; touch x/f", "");
    }
    check(
        "0.10",
        "mkdir x; printf '[types]\\nlaunch=true\\nbuild=true\\ncache=true\\n' > x.toml",
        "x launch+build+cache null",
    );
}

#[test]
fn bp_layer_metadata_may_be_anything() {
    let types = "mkdir x; printf '[types]\\nlaunch = true\\nstray = 1\\n%s\\n' ";
    check(
        "0.10",
        &format!("{types} '[metadata]\na = [1, {{b = true}}]' > x.toml"),
        "x launch {\"a\":[1,{\"b\":true}]}",
    );
    check(
        "0.10",
        "mkdir x; printf 'metadata = \"text\"\\n[types]\\nlaunch = true\\n' > x.toml",
        "x launch \"text\"",
    );
    check(
        "0.10",
        "mkdir x; printf 'stray = 1\\n[types]\\nlaunch = true\\n[more]\\n' > x.toml",
        "x launch null",
    );
}

#[test]
fn bp_layer_without_contents() {
    check("0.10", "printf '[types]\\nlaunch = true\\n' > x.toml", "x launch reused null");
    check(
        "0.10",
        "printf '[types]\\nlaunch = true\\nbuild = true\\n' > x.toml",
        "x launch+build reused null",
    );
    check("0.10", "printf '[types]\\nlaunch = true\\ncache = true\\n' > x.toml", "code 52");
    check("0.10", "printf '[types]\\ncache = true\\n' > x.toml", "");
    check("0.10", "ln -s /etc x; printf '[types]\\nlaunch = true\\n' > x.toml", "code 52");
}

#[test]
fn bp_layer_names_build_launch_and_store_are_files_of_the_contract() {
    check("0.10", "mkdir build launch store; : > build.toml; : > launch.toml; : > store.toml", "");
}

#[test]
fn bp_ignored_layers_are_set_aside() {
    let site =
        Site::new("a", &[pack("a").build("mkdir \"$1/x\"; touch \"$1/x/f\"; : > \"$1/x.toml\"")]);
    for _ in 0..2 {
        site.build().built();
        assert!(site.roots.layers.join("a/x.ignore/f").exists());
        assert!(!site.roots.layers.join("a/x").exists());
    }
}
