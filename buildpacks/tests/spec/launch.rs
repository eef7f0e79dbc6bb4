//! The launcher: Platform specification, "launcher"; Buildpack specification, "Launch".

use std::process::Output;

use crate::site::{Pack, Site, pack};

/// A buildpack of `api` with processes of `toml` and a layer `x` that `script` fills.
fn launching(id: &str, api: &str, toml: &str, script: &str) -> Pack {
    pack(id).api(api).build(&format!(
        "cd \"$1\"; mkdir -p x; printf '[types]\\nlaunch = true\\n' > x.toml\n{script}\n\
         cat > launch.toml <<'EOF'\n{toml}\nEOF"
    ))
}

fn shown(output: &Output) -> String {
    let code = output.status.code().unwrap_or(-1);
    let text = String::from_utf8_lossy(&output.stdout);
    if code == 0 {
        text.trim_end().to_owned()
    } else {
        format!("code {code} {text}").trim_end().to_owned()
    }
}

const PRINT: &str = "command = [\"printf\", \"[%s]\"]\nargs = [\"a\", \"b c\"]";

#[test]
fn pl_launcher_processes_and_arguments_per_api() {
    let check = |api: &str, process: &str, args: &[&str], expected: &str| {
        let toml = format!("[[processes]]\ntype = \"web\"\n{process}");
        let site = Site::new("a", &[launching("a", api, &toml, "")]);
        site.build().built();
        assert_eq!(shown(&site.launch("web", args)), expected, "{api} {process} {args:?}");
    };
    check("0.9", PRINT, &[], "[a][b c]");
    check("0.9", PRINT, &["d e"], "[d e]");
    check("0.10", "command = [\"echo\"]\nargs = [\"a\"]", &["b"], "b");
    check("0.8", "command = \"echo\"\nargs = [\"a\"]\ndirect = true", &["b"], "a b");
    check("0.8", "command = \"echo\"\nargs = [\"a\"]", &["b  c"], "a b c");
    check("0.8", "command = \"echo one; echo $V two\"", &[], "one\ntwo");
    check("0.8", "command = \"printf\"\nargs = [\"[%s]\", \"$HOME-x\", \"y z\"]", &[], "[-x][y z]");
    check("0.10", "command = [\"sh\", \"-c\", \"exit 7\"]", &[], "code 7");
    check("0.10", "command = [\"nowhere\"]", &[], "code 82");
}

#[test]
fn pl_launcher_user_commands() {
    let toml = "[[processes]]\ntype = \"web\"\ncommand = [\"true\"]\ndefault = true";
    let site = Site::new(
        "a",
        &[launching(
            "a",
            "0.10",
            toml,
            "printf v > x/env; rm x/env; mkdir -p x/env; printf v > x/env/V",
        )],
    );
    site.build().built();
    let check = |args: &[&str], expected: &str| {
        assert_eq!(shown(&site.launch("launcher", args)), expected, "{args:?}");
    };
    check(&["--", "printf", "[%s]", "$V"], "[$V]");
    check(&["printf '[%s]' $V; echo"], "[v]");
    check(&["printf", "[%s]", "$V"], "[v]");
    check(&["--", "sh", "-c", "exit 3"], "code 3");
    check(&[], "code 82");
    check(&["--"], "code 82");
    assert_eq!(shown(&site.launch("absent", &[])), "code 82");
}

#[test]
fn pl_launcher_environment() {
    let web = "[[processes]]\ntype = \"web\"\ncommand = [\"env\"]\n[[processes]]\ntype = \"job\"\ncommand = [\"env\"]";
    let first = launching(
        "a",
        "0.10",
        web,
        "mkdir -p x/{bin,lib,include,env,env.launch/web,env.build}; \
        printf 1 > x/env/V; printf 2 > x/env.launch/V.append; printf 3 > x/env.launch/web/V.append; \
        printf 4 > x/env.build/V.append; printf d > x/env/U.default; mkdir -p y/bin; printf '[types]\\nlaunch = true\\n' > y.toml",
    );
    let second = launching("b", "0.10", "", "mkdir -p x/{bin,env}; printf 5 > x/env/V.append");
    let site = Site::new("a b", &[first, second]);
    site.build().built();
    let root = site.roots.layers.display().to_string();
    let own = [
        ("U", "mine"),
        ("CNB_PLATFORM_API", "0.14"),
        ("CNB_DEPRECATION_MODE", "quiet"),
        ("PATH", "/cnb/process:/cnb/lifecycle:/usr/bin:/bin"),
    ];
    let check = |kind: &str, v: &str| {
        let text = shown(&site.launch_with(kind, &[], &own));
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        let path = format!("PATH={root}/b/x/bin:{root}/a/y/bin:{root}/a/x/bin:/usr/bin:/bin");
        let lib = format!("LD_LIBRARY_PATH={root}/a/x/lib");
        assert_eq!(lines, [&lib, &path, "U=mine", &format!("V={v}")]);
    };
    check("web", "1235");
    check("job", "125");
}

#[test]
fn bp_exec_d() {
    let program = |path: &str, text: &str| {
        format!(
            "mkdir -p $(dirname {path}); printf '#!/bin/sh\\n%s\\n' '{text}' > {path}; chmod +x {path}\n"
        )
    };
    let toml = "[[processes]]\ntype = \"web\"\ncommand = [\"sh\", \"-c\", \"echo $V:$W\"]\n\
                [[processes]]\ntype = \"job\"\ncommand = [\"sh\", \"-c\", \"echo $V:$W\"]";
    let check = |script: &str, kind: &str, expected: &str| {
        let site = Site::new("a", &[launching("a", "0.10", toml, script)]);
        site.app("marker", "");
        site.build().built();
        assert_eq!(shown(&site.launch(kind, &[])), expected, "{script}");
    };
    let first = program("x/exec.d/1", "test -e marker; echo \"V = \\\"a\\\"\" >&3");
    let second = program("x/exec.d/2", "echo \"V = \\\"${V}b\\\"\" >&3");
    let special = program("x/exec.d/web/1", "echo \"W = \\\"w\\\"\" >&3");
    let all = format!("{second}{first}{special}");
    check(&all, "web", "ab:w");
    check(&all, "job", "ab:");
    check(&program("x/exec.d/1", ":"), "web", ":");
    check(&program("x/exec.d/1", "exit 3"), "web", "code 82");
    check(&program("x/exec.d/1", "echo \"V = 1\" >&3"), "web", "code 82");
    check(&program("x/exec.d/1", "echo \"not toml\" >&3"), "web", "code 82");
}

#[test]
fn bp_profile_d_in_order_and_the_working_folder() {
    let script = "mkdir -p x/profile.d/web; echo 'export V=${V}1; export AT=$PWD' > x/profile.d/1.sh; \
        echo 'export V=${V}2' > x/profile.d/2.sh; echo 'export V=${V}w' > x/profile.d/web/1.sh";
    let toml = "[[processes]]\ntype = \"web\"\ncommand = \"echo $V $(basename $AT) $(basename $PWD)\"\nworking-dir = \"it's\"\n\
        [[processes]]\ntype = \"job\"\ncommand = \"echo $V $(basename $PWD)\"\n\
        [[processes]]\ntype = \"direct\"\ncommand = \"pwd\"\ndirect = true\nworking-dir = \"/tmp\"\n\
        [[processes]]\ntype = \"lost\"\ncommand = \"pwd\"\nworking-dir = \"nowhere\"";
    let site = Site::new("a", &[launching("a", "0.8", toml, script)]);
    site.app(".profile", "export V=${V}p").app("it's/file", "");
    site.build().built();
    assert_eq!(shown(&site.launch("web", &[])), "12wp workspace it's");
    assert_eq!(shown(&site.launch("job", &[])), "12p workspace");
    assert_eq!(shown(&site.launch("direct", &[])), "/tmp");
    assert_eq!(shown(&site.launch("lost", &[])), "code 82");
}

#[test]
fn pl_launcher_exit_codes() {
    let toml = "[[processes]]\ntype = \"web\"\ncommand = [\"true\"]";
    let site = Site::new("a", &[launching("a", "0.10", toml, "")]);
    site.build().built();
    let api =
        |version: &str| shown(&site.launch_with("web", &[], &[("CNB_PLATFORM_API", version)]));
    for fine in ["0.7", "0.14", "0.15"] {
        assert_eq!(api(fine), "", "{fine}");
    }
    assert_eq!([api("0.6"), api("1.0"), api("x")], ["code 11"; 3]);
    let said = site.launch_with("web", &[], &[("CNB_PROCESS_TYPE", "web")]);
    assert!(
        said.status.success()
            && String::from_utf8_lossy(&said.stderr).contains("warning: CNB_PROCESS_TYPE")
    );
    let config = site.roots.layers.join("config/metadata.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"0.10\"", "\"0.13\"")).unwrap();
    assert_eq!(shown(&site.launch("web", &[])), "code 12");
    std::fs::write(&config, "x =").unwrap();
    assert_eq!(shown(&site.launch("launcher", &["true"])), "code 82");
}
