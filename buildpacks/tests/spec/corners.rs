//! Corners of the contract that buildpacks in the wild come to.

use std::fs;

use buildpacks::agent::Code;

use crate::site::{Site, pack};

const LAUNCH: &str = "printf '[types]\\nlaunch = true\\n' > \"$1/x.toml\"\n";

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[test]
fn bp_buildpack_toml_without_a_version() {
    let site = Site::new("a", &[]);
    let home = site.roots.cnb.join("buildpacks/a/1");
    pack("a").write(&home);
    fs::write(home.join("buildpack.toml"), "api = \"0.9\"\n[buildpack]\nid = \"a\"\n").unwrap();
    assert_eq!(site.build().shown(), "a");
}

#[test]
fn bp_launch_toml_may_be_large() {
    let build = "for i in $(seq 20000); do printf '[[labels]]\\nkey = \"label.number.%s\"\\n\
        value = \"some value of it\"\\n' $i; done > \"$1/launch.toml\"";
    let site = Site::new("a", &[pack("a").build(build)]);
    assert_eq!(site.build().built().labels.len(), 20_000);
}

#[test]
fn bp_detection_with_bad_habits_is_a_detection() {
    let check = |detect: &str| {
        let site = Site::new("a", &[pack("a").detect(detect)]);
        assert_eq!(site.build().shown(), "a", "{detect}");
    };
    check("sleep 600 & disown; (setsid sleep 3 &)");
    check("cat; ! read -r line");
    check("! read -r line < /dev/tty || true");
    check("rm -f \"$2\"");
    check("touch by-detect; mkdir -p deep/er");
    check("printf '\\xff' ; seq 30000");
    check("exec > /dev/null 2>&1 < /dev/null; kill -CHLD $$");
    check("cd /; [ \"$#\" = 2 ]");
}

#[test]
fn bp_detection_that_changes_the_app_is_seen_by_the_build() {
    let site = Site::new("a", &[pack("a").detect("echo 1 > made").build("mv made moved")]);
    site.build().built();
    assert_eq!(site.said("moved"), "1\n");
}

#[test]
fn bp_plan_alternatives_with_an_optional_provider() {
    let plan = |lines: &str| format!("cat > \"$2\" <<'EOF'\n{lines}\nEOF");
    let node = "[[provides]]\nname = \"node\"";
    let either = "[[requires]]\nname = \"bun\"\n[[or]]\n[[or.requires]]\nname = \"node\"\n[or.requires.metadata]\nv = \"1\"";
    let provider = pack("p").detect(&plan(node)).build("cat \"$3\" > plan");
    let user = pack("u").detect(&plan(either));
    let site = Site::new("p? u", &[provider, user]);
    assert_eq!(site.build().shown(), "p u");
    assert_eq!(
        site.said("plan"),
        "[[entries]]\nname = \"node\"\n\n[entries.metadata]\nv = \"1\"\n"
    );
}

#[test]
fn bp_nested_composites_that_fail_give_way() {
    let composite =
        |id: &str, order: &str| pack(id).without_programs().rest(&crate::site::toml_order(order));
    let packs = [
        pack("no").detect("exit 100"),
        pack("odd").detect("exit 3"),
        pack("yes"),
        composite("inner", "no; odd"),
        composite("outer", "inner yes; yes no?; yes"),
    ];
    assert_eq!(Site::new("outer", &packs).build().shown(), "yes");
    let site = Site::new("inner", &packs);
    assert_eq!(site.build().shown(), "code 21");
    site.order("inner? yes");
    assert_eq!(site.build().shown(), "yes");
}

#[test]
fn bp_environment_of_one_process_type_and_lists_with_delimiters() {
    let build = format!(
        "mkdir -p \"$1/x/env\" \"$1/x/env.launch/web\" \"$1/x/env.build\"; cd \"$1/x\"\n\
         printf a > env/LIST.append; printf - > env/LIST.delim; printf no > env.build/V\n\
         printf b > env.launch/LIST.append; printf + > env.launch/LIST.delim\n\
         printf c > env.launch/web/LIST.append; printf d > env.launch/web/V.default\n{LAUNCH}\
         for t in web other; do printf '[[processes]]\\ntype = \"%s\"\\ncommand = [\"sh\", \"-c\", \
         \"echo $LIST ${{V-unset}}\"]\\n' $t; done > \"$1/launch.toml\""
    );
    let site = Site::new("a", &[pack("a").build(&build)]);
    site.build().built();
    assert_eq!(text(&site.launch("web", &[])), "a+bc d");
    assert_eq!(text(&site.launch("other", &[])), "a+b unset");
}

#[test]
fn pl_launcher_profiles_come_before_arguments_are_evaluated() {
    let build = format!(
        "mkdir -p \"$1/x/profile.d/web\" \"$1/x/exec.d/web\"; cd \"$1/x\"\n\
         echo 'export P=$P:common' > profile.d/10.sh; echo 'export P=$P:web' > profile.d/web/00.sh\n\
         printf '#!/bin/sh\\necho E = \\\\\"exec\\\\\" >&3\\n' > exec.d/web/one; chmod +x exec.d/web/one\n\
         {LAUNCH}printf '[[processes]]\\ntype = \"web\"\\ncommand = \"echo\"\\nargs = [\"$P\", \"$E\", \
         \"$A b\"]\\n' > \"$1/launch.toml\""
    );
    let site = Site::new("a", &[pack("a").api("0.8").build(&build)]);
    site.app(".profile", "export P=$P:app A=own\n");
    site.build().built();
    assert_eq!(text(&site.launch("web", &[])), ":common:web:app exec own b");
}

#[test]
fn bp_a_layer_that_nobody_wants_any_more_is_set_aside_and_comes_back_new() {
    let build = "if [ -e \"$1/x.toml\" ]; then echo again >> said; \
        printf '[types]\\nlaunch = false\\n' > \"$1/x.toml\"; else mkdir \"$1/x\"; echo new >> said; \
        printf '[types]\\ncache = true\\n' > \"$1/x.toml\"; fi";
    let site = Site::new("a", &[pack("a").build(build)]);
    let first = site.build().built();
    let second = site.build_after(Some(first.remembered())).built();
    assert!(second.layers.is_empty());
    assert!(site.roots.layers.join("a/x.ignore").is_dir());
    site.build_after(Some(second.remembered())).built();
    assert_eq!(site.said("said"), "new\nagain\nnew\n");
    assert!(!site.roots.layers.join("a/x.ignore").exists());
}

#[test]
fn bp_a_cached_layer_of_the_image_is_changed_in_place() {
    let build = "mkdir -p \"$1/x\"; echo . >> \"$1/x/count\"; cat \"$1/x/count\" > said\n\
        printf '[types]\\nlaunch = true\\ncache = true\\n[metadata]\\nn = 1\\n' > \"$1/x.toml\"";
    let site = Site::new("a.b/c-d.e", &[pack("a.b/c-d.e").build(build)]);
    let first = site.build().built();
    let second = site.build_after(Some(first.remembered())).built();
    assert_eq!(site.said("said"), ".\n.\n");
    assert_eq!(second.layers, first.layers);
}

#[test]
fn bp_a_buildpack_that_sees_no_users_variables() {
    let clear = pack("a").identity("clear-env = true").build("echo ${MINE-unset} > said-a");
    let mut site = Site::new("a b", &[clear, pack("b").build("echo $MINE > said-b")]);
    site.env.insert("MINE".into(), "value".into());
    site.build().built();
    assert_eq!((site.said("said-a"), site.said("said-b")), ("unset\n".into(), "value\n".into()));
}

#[test]
fn bp_links_as_layers_are_explained() {
    let build = format!("ln -s /usr \"$1/x\"\n{LAUNCH}");
    let failed = Site::new("a", &[pack("a").build(&build)]).build().failed();
    assert_eq!((failed.code, failed.code.number()), (Code::Build, 52));
    assert!(failed.reason.contains("the layer x is a link"), "{failed:?}");
}
