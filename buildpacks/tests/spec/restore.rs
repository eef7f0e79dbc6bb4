//! What the last build leaves to the next: Buildpack specification, "Layer Types"; Platform,
//! "restorer".

use buildpacks::agent::Contents;

use crate::site::{Site, pack};

/// The first build makes a layer of `types`; the second only looks.
const BUILD: &str = r#"
cd "$1"
if [ -e "$CNB_BUILDPACK_DIR/second" ]; then
  { [ -e x.toml ] && echo toml; [ -e x/f ] && echo contents; [ -e store.toml ] && echo store
    [ -e other ] && echo other; [ -e launch.toml ] && echo launch
    ! grep -q types x.toml 2>/dev/null || echo types
    grep -q 'k = "v"' x.toml 2>/dev/null && echo metadata; true; } | tr '\n' ' ' > "$OLDPWD/found"
else
  mkdir x; touch x/f other
  printf '[types]\n%b\n[metadata]\nk = "v"\n' "$TYPES" > x.toml
  printf '[metadata]\nn = 1\n' > store.toml
  printf '[[labels]]\nkey = "a"\nvalue = "b"\n' > launch.toml
fi"#;

fn found(types: &str) -> String {
    let mut site = Site::new("a", &[pack("a").build(BUILD)]);
    let lines: Vec<_> = types.split_whitespace().map(|it| format!("{it} = true")).collect();
    site.env.insert("TYPES".into(), lines.join("\\n"));
    let built = site.build().built();
    std::fs::write(site.roots.cnb.join("buildpacks/a/1/second"), "").unwrap();
    site.build_after(Some(built.remembered())).built();
    site.said("found").trim().to_owned()
}

#[test]
fn bp_layer_types_what_the_next_build_finds() {
    assert_eq!(found("launch build cache"), "toml contents store metadata");
    assert_eq!(found("launch cache"), "toml contents store metadata");
    assert_eq!(found("build cache"), "toml contents store metadata");
    assert_eq!(found("cache"), "toml contents store metadata");
    assert_eq!(found("launch"), "toml store metadata");
    assert_eq!(found("launch build"), "store");
    assert_eq!(found("build"), "store");
    assert_eq!(found(""), "store");
}

#[test]
fn pl_restorer_a_buildpack_that_left_takes_its_cache_with_it() {
    let keep = "mkdir -p \"$1/x\"; [ ! -e \"$1/x/f\" ] || touch found; touch \"$1/x/f\"; printf '[types]\\ncache = true\\n' > \"$1/x.toml\"";
    let site = Site::new("a", &[pack("a").build(keep), pack("b")]);
    let first = site.build().built();
    let again = site.build_after(Some(first.remembered())).built();
    assert!(site.roots.workspace.join("found").exists());
    site.order("b");
    let other = site.build_after(Some(again.remembered())).built();
    assert!(!site.roots.layers.join("a").exists());
    std::fs::remove_file(site.roots.workspace.join("found")).unwrap();
    site.order("a");
    site.build_after(Some(other.remembered())).built();
    assert!(!site.roots.workspace.join("found").exists());
}

#[test]
fn pl_restorer_nothing_is_found_that_nobody_remembers() {
    let keep = "[ -z \"$(ls -A \"$1\")\" ]; mkdir \"$1/x\"; chmod 555 \"$1/x\"; printf '[types]\\ncache = true\\n' > \"$1/x.toml\"";
    let site = Site::new("a", &[pack("a").build(keep)]);
    site.build().built();
    site.build().built();
}

#[test]
fn bp_store_toml_goes_from_build_to_build() {
    let count = "n=$(sed -n 's/n = //p' \"$1/store.toml\" 2>/dev/null || true); printf '[metadata]\\nn = %s\\n' $((n + 1)) > \"$1/store.toml\"";
    let site = Site::new("a", &[pack("a").build(count)]);
    let mut last = None;
    for expected in 1..4 {
        let built = site.build_after(last).built();
        assert_eq!(built.store["a"]["n"], expected);
        last = Some(built.remembered());
    }
}

#[test]
fn bp_layer_types_a_layer_of_the_last_image_is_used_again_unseen() {
    let script = "if [ -e \"$1/x.toml\" ]; then
            [ ! -e \"$1/x\" ]; [ ! -e \"$1/y\" ]
        else
            mkdir \"$1/x\" \"$1/y\"; echo old > \"$1/x/f\"; chmod 555 \"$1/x\"
            printf '[types]\\nlaunch = true\\nbuild = true\\n' > \"$1/y.toml\"
        fi
        printf '[types]\\nlaunch = true\\n' > \"$1/x.toml\"
        [ -z \"${FAIL:-}\" ]";
    let mut site = Site::new("a b", &[pack("a").build(script), pack("b")]);
    let mut last = site.build().built().remembered();
    let shown = |site: &Site| {
        let names = std::fs::read_dir(site.roots.layers.join("a")).unwrap();
        let mut names: Vec<_> =
            names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(shown(&site), "x x.toml y y.toml");
    for round in ["used again", "once more", "after a failure"] {
        if round == "after a failure" {
            site.env.insert("FAIL".into(), "1".into());
            site.build_after(Some(last.clone())).failed();
            site.env.clear();
        }
        let built = site.build_after(Some(last)).built();
        assert_eq!(shown(&site), "x x.toml", "{round}");
        assert_eq!(built.layers[0].contents, Contents::Folder, "{round}");
        let text = std::fs::read_to_string(site.roots.layers.join("a/x/f")).unwrap();
        assert_eq!(text, "old\n", "{round}");
        assert!(!site.roots.layers.join("=last").exists(), "{round}");
        last = built.remembered();
    }
    site.build_after(None).built();
    assert_eq!(shown(&site), "x x.toml y y.toml", "nobody remembers: all is made anew");
}
