//! The environment of `bin/detect` and `bin/build`, byte for byte: Buildpack specification,
//! "Environment" and "Environment Variable Modification Rules".

use std::collections::BTreeMap;
use std::fs;

use crate::site::{Site, pack};

/// What a program that does nothing else sees, as name and value. Bash adds some of its own.
const DUMP: &str = "env -0 > env";

fn seen(site: &Site) -> BTreeMap<String, String> {
    let text = site.said("env");
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let of_bash = ["PWD", "SHLVL", "_", "OLDPWD"];
    let own = pairs.filter(|(name, _)| !of_bash.contains(name));
    own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn names(site: &Site) -> String {
    seen(site).keys().filter(|name| *name != "PATH").cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn bp_environment_provided_by_the_lifecycle_per_api() {
    let check = |api: &str, program: &str, expected: &str| {
        let own = pack("acme/a").api(api);
        let own = if program == "detect" { own.detect(DUMP) } else { own.build(DUMP) };
        let site = Site::new("acme/a", &[own]);
        site.build().built();
        assert_eq!(names(&site), expected, "{api} {program}");
    };
    let target = "CNB_STACK_ID CNB_TARGET_ARCH CNB_TARGET_DISTRO_NAME CNB_TARGET_DISTRO_VERSION CNB_TARGET_OS";
    check("0.7", "detect", "CNB_BUILDPACK_DIR CNB_STACK_ID");
    check("0.7", "build", "CNB_BUILDPACK_DIR CNB_STACK_ID");
    check("0.8", "detect", "CNB_BUILDPACK_DIR CNB_BUILD_PLAN_PATH CNB_PLATFORM_DIR CNB_STACK_ID");
    check(
        "0.9",
        "build",
        "CNB_BP_PLAN_PATH CNB_BUILDPACK_DIR CNB_LAYERS_DIR CNB_PLATFORM_DIR CNB_STACK_ID",
    );
    check(
        "0.10",
        "detect",
        &format!("CNB_BUILDPACK_DIR CNB_BUILD_PLAN_PATH CNB_PLATFORM_DIR {target}"),
    );
    check(
        "0.12",
        "build",
        &format!(
            "CNB_BP_PLAN_PATH CNB_BUILDPACK_DIR CNB_EXEC_ENV CNB_LAYERS_DIR CNB_PLATFORM_DIR {target}"
        ),
    );
}

#[test]
fn bp_environment_of_the_build_image_is_a_list_of_names() {
    let mut site = Site::new("a", &[pack("a").api("0.7").build(DUMP)]);
    for name in [
        "CNB_STACK_ID",
        "HOSTNAME",
        "HOME",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "CPATH",
        "PKG_CONFIG_PATH",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "SECRET",
        "LANG",
        "USER",
    ] {
        site.image.insert(name.to_owned(), format!("of {name}"));
    }
    site.image.insert("NO_PROXY".to_owned(), String::new());
    site.build().built();
    let seen = seen(&site);
    for gone in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SECRET", "LANG", "USER", "PAAS_CNB_DIR"] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
    assert_eq!(seen["CNB_STACK_ID"], "of CNB_STACK_ID");
    assert_eq!(seen["https_proxy"], "of https_proxy");
    assert_eq!(seen["NO_PROXY"], "");
    assert_eq!(seen["CPATH"], "of CPATH");
}

#[test]
fn bp_environment_of_the_user_and_clear_env() {
    let check = |identity: &str, path_prefix: &str, value: Option<&str>| {
        let mut site = Site::new("a", &[pack("a").identity(identity).build(DUMP)]);
        site.env.insert("VALUE".into(), "two\nlines \"$HOME\" é\n".into());
        site.env.insert("PATH".into(), "/users".into());
        site.env.insert("CNB_STACK_ID".into(), "mine".into());
        site.env.insert("CNB_TARGET_OS".into(), "users cannot say".into());
        site.build().built();
        let seen = seen(&site);
        assert_eq!(seen["PATH"], format!("{path_prefix}{}", site.image["PATH"]), "{identity}");
        assert_eq!(seen.get("VALUE").map(String::as_str), value, "{identity}");
        assert_eq!(seen["CNB_TARGET_OS"], "linux");
        assert!(!site.roots.platform.join("env").exists(), "no secret stays");
    };
    check("", "/users:", Some("two\nlines \"$HOME\" é\n"));
    check("clear-env = true", "", None);
}

#[test]
fn pl_build_config_is_a_default() {
    let mut site = Site::new("a", &[pack("a").identity("clear-env = true").build(DUMP)]);
    let dir = site.roots.cnb.join("build-config/env");
    fs::create_dir_all(&dir).unwrap();
    for (name, text) in [("A", "a"), ("HOME", "h"), ("B.override", "b"), ("HOSTNAME.append", "x")] {
        fs::write(dir.join(name), text).unwrap();
    }
    site.image.insert("HOME".into(), "own".into());
    site.image.insert("HOSTNAME".into(), "y".into());
    site.build().built();
    let seen = seen(&site);
    assert_eq!([&seen["A"], &seen["HOME"], &seen["B"], &seen["HOSTNAME"]], ["a", "own", "b", "yx"]);
}

/// `a` makes layers by `script` (in its layers folder), `b` sees what they contribute.
fn contributed(script: &str) -> (Site, BTreeMap<String, String>) {
    let layer = "layer() { mkdir -p \"$1/env\" \"$1/env.build\" \"$1/env.launch\"; \
                 printf '[types]\\nbuild = true\\n' > \"$1.toml\"; }";
    let first = pack("a").build(&format!("{layer}\ncd \"$1\"\n{script}\nenv -0 > own"));
    let site = Site::new("a b", &[first, pack("b").build(DUMP)]);
    site.build().built();
    let seen = seen(&site);
    (site, seen)
}

#[test]
fn bp_layer_paths_reach_later_buildpacks() {
    let (site, seen) =
        contributed("for it in one two; do layer $it; mkdir $it/{bin,lib,include,pkgconfig}; done");
    let root = site.roots.layers.join("a");
    let both = |folder: &str| format!("{0}/two/{folder}:{0}/one/{folder}", root.display());
    assert_eq!(seen["PATH"], format!("{}:{}", both("bin"), site.image["PATH"]));
    assert_eq!(seen["LD_LIBRARY_PATH"], both("lib"));
    assert_eq!(seen["LIBRARY_PATH"], both("lib"));
    assert_eq!(seen["CPATH"], both("include"));
    assert_eq!(seen["PKG_CONFIG_PATH"], both("pkgconfig"));
    let own = fs::read_to_string(root.join("own")).unwrap();
    assert!(!own.contains("LIBRARY_PATH="), "a buildpack does not see its own layers");
}

#[test]
fn bp_environment_variable_modification_rules_of_layers() {
    let check = |script: &str, expected: &str| {
        let (_, seen) = contributed(script);
        assert_eq!(seen.get("V").map_or("unset", String::as_str), expected, "{script}");
    };
    check("layer x; echo new > x/env/V", "new\n");
    check("layer x; printf a > x/env/V; printf b > x/env.build/V.append", "ab");
    check(
        "layer x; printf a > x/env/V; printf b > x/env.build/V.append; printf : > x/env/V.delim",
        "ab",
    );
    check(
        "layer x; printf a > x/env/V; cd x/env.build; printf b > V.append; printf : > V.delim; cd ../..",
        "a:b",
    );
    check("layer x; printf a > x/env.build/V.default; printf b > x/env/V.default", "b");
    check("layer x; layer y; printf a > y/env/V.default; printf b > x/env.build/V.prepend", "b");
    check("layer x; layer y; printf a > y/env/V.prepend; printf b > x/env.build/V.override", "ab");
    check("layer x; printf a > x/env.launch/V", "unset");
    check("layer x; printf a > x/env/V.unknown; mkdir x/env/V.append", "unset");
    check("layer x; printf '[types]\\nlaunch = true\\n' > x.toml; printf a > x/env/V", "unset");
    check("layer x; printf '$HOME `id`' > x/env/V", "$HOME `id`");
}
