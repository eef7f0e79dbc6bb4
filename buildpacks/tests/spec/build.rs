//! `bin/build` and what it leaves: Buildpack specification, "Build"; Platform, "builder".

use std::fs;

use buildpacks::agent::Phase;

use crate::site::{Site, pack};

#[test]
fn bp_build_arguments() {
    let build = r#"
        [ $# = 3 ] && [ "$1" = "$CNB_LAYERS_DIR" ] && [ "$2" = "$CNB_PLATFORM_DIR" ]
        [ "$3" = "$CNB_BP_PLAN_PATH" ] && [ "$(basename "$1")" = acme_a ] && [ -d "$1" ]
        [ "$(basename "$PWD")" = workspace ] && [ -x "$CNB_BUILDPACK_DIR/bin/build" ]
        echo out; echo err >&2"#;
    let ran = Site::new("acme/a", &[pack("acme/a").build(build)]).build();
    assert!(ran.log.contains("out") && ran.log.contains("err"));
    ran.built();
}

#[test]
fn pl_builder_exit_codes() {
    let check = |build: &str, code: u8, reason: &str| {
        let failed = Site::new("a", &[pack("a").build(build)]).build().failed();
        assert_eq!((failed.code.number(), failed.phase), (code, Phase::Build), "{failed:?}");
        assert!(failed.reason.contains(reason), "{failed:?}");
    };
    check("echo no space; exit 7", 51, "exit code 7: no space");
    check("kill -9 $$", 51, "exit code 137");
    check("echo 'x =' > \"$1/launch.toml\"", 52, "launch.toml");
    check("mkfifo \"$1/launch.toml\"", 52, "not a regular file");
    check("truncate -s 1T \"$1/store.toml\"", 52, "not a regular file of at most");
    check("echo '[types]' > \"$1/x.toml\"; echo 'y = ' >> \"$1/x.toml\"", 52, "x.toml");
}

#[test]
fn bp_build_is_sequential_and_stops_at_the_first_failure() {
    let say = |id: &str, end: &str| pack(id).build(&format!("echo {id} >> said; {end}"));
    let site = Site::new("a b c", &[say("a", ""), say("b", "exit 1"), say("c", "")]);
    site.build().failed();
    assert_eq!(site.said("said"), "a\nb\n");
}

#[test]
fn bp_launch_toml_labels_and_slices() {
    let write = |text: &str| format!("cat > \"$1/launch.toml\" <<'EOF'\n{text}\nEOF");
    let one = write(
        "[[labels]]\nkey = \"k\"\nvalue = \"1\"\n[[labels]]\nkey = \"l\"\nvalue = \"1\"\n\
         [[slices]]\npaths = [\"a/*\"]\n[[slices]]\n",
    );
    let two = write("[[labels]]\nkey = \"k\"\nvalue = \"2\"\n[[slices]]\npaths = [\"b\"]\n");
    let built = Site::new("a b", &[pack("a").build(&one), pack("b").build(&two)]).build().built();
    let labels: Vec<_> = built.labels.iter().map(|it| format!("{}={}", it.key, it.value)).collect();
    assert_eq!(labels, ["k=2", "l=1"]);
    let slices: Vec<_> = built.slices.iter().map(|it| it.paths.join(" ")).collect();
    assert_eq!(slices, ["a/*", "", "b"]);
}

#[test]
fn pl_launcher_metadata_toml() {
    let script = "cat > \"$1/launch.toml\" <<'EOF'\n\
        [[processes]]\ntype = \"worker\"\ncommand = [\"w\"]\nworking-dir = \"sub\"\n\
        [[processes]]\ntype = \"web\"\ncommand = [\"a\", \"b\"]\nargs = [\"c\"]\ndefault = true\nEOF";
    let own =
        pack("acme/a").version("1.2").identity("homepage = \"https://example.test\"").build(script);
    let site = Site::new("acme/a", &[own]);
    let built = site.build().built();
    let text = fs::read_to_string(site.roots.layers.join("config/metadata.toml")).unwrap();
    assert_eq!(text, built.metadata_toml);
    assert_eq!(
        text,
        "buildpack-default-process-type = \"web\"\n\n[[buildpacks]]\nid = \"acme/a\"\nversion = \"1.2\"\n\
         api = \"0.10\"\nhomepage = \"https://example.test\"\n\n[[processes]]\ntype = \"web\"\n\
         command = [\"a\", \"b\"]\nargs = [\"c\"]\ndirect = true\nbuildpack-id = \"acme/a\"\n\n\
         [[processes]]\ntype = \"worker\"\ncommand = [\"w\"]\nargs = []\ndirect = true\n\
         buildpack-id = \"acme/a\"\nworking-dir = \"sub\"\n"
    );
}

#[test]
fn bp_launch_toml_per_api() {
    let check = |api: &str, process: &str, code: &str| {
        let build = format!(
            "cat > \"$1/launch.toml\" <<'EOF'\n[[processes]]\ntype = \"web\"\n{process}\nEOF"
        );
        let ran = Site::new("a", &[pack("a").api(api).build(&build)]).build();
        assert_eq!(ran.shown(), code, "{api}: {process}");
    };
    check("0.8", "command = \"x\"\ndirect = true", "a");
    check("0.8", "command = \"x y\"", "a");
    check("0.8", "command = [\"x\"]", "code 52");
    check("0.9", "command = \"x\"", "code 52");
    check("0.9", "command = [\"x\"]\ndirect = true", "code 52");
    check("0.9", "command = [\"x\", \"y\"]\nargs = [\"z\"]\nstray = 1", "a");
    check("0.9", "stray = 1", "code 52");
}
