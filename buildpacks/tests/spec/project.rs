//! `project.toml`: the project descriptor in its versions 0.1 and 0.2, and buildpacks chosen for
//! one app.

use buildpacks::agent::Chosen;

use crate::site::{Site, pack, toml_order};

/// Builds with this `project.toml`; each buildpack says its name.
fn site(project: &str) -> Site {
    let say = |id: &str| pack(id).build(&format!("echo {id} >> said"));
    let site = Site::new("a", &[say("a"), say("b"), say("p"), say("q")]);
    say("own").write(&site.roots.workspace.join("own"));
    site.app("project.toml", project);
    site
}

const HEAD: &str = "[_]\nschema-version = \"0.2\"\nid = \"x\"\n";

#[test]
fn project_descriptor_groups() {
    let check = |project: &str, expected: &str| {
        let ran = site(project).build();
        assert_eq!(ran.shown(), expected, "{project}\n{}", ran.log);
    };
    let group = |table: &str, line: &str| format!("[[io.buildpacks.{table}]]\n{line}\n");
    check("", "a");
    check(&format!("{HEAD}{}", group("group", "id = \"b\"")), "b");
    check(
        &format!(
            "{HEAD}{}{}",
            group("group", "id = \"b\"\nversion = \"1\""),
            group("group", "uri = \"./own\"")
        ),
        "b own",
    );
    check(
        &format!("{HEAD}{}{}", group("pre.group", "id = \"p\""), group("post.group", "id = \"q\"")),
        "p a q",
    );
    check(&format!("{HEAD}{}", group("group", "uri = \"urn:cnb:builder:b@1\"")), "b");
    check(&format!("{HEAD}{}", group("group", "id = \"b\"\nversion = \"2\"")), "code 22");
    check(&format!("{HEAD}{}", group("group", "uri = \"../cnb\"")), "code 22");
    check(&format!("{HEAD}{}", group("group", "uri = \"docker://x\"")), "code 22");
    check(
        "[[build.buildpacks]]\nid = \"b\"\n[[build.buildpacks]]\nuri = \"own\"\n[project]\nid = \"x\"",
        "b own",
    );
    check(
        "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\ninclude = [\"a\"]\nexclude = [\"b\"]",
        "code 22",
    );
}

#[test]
fn project_descriptor_inline_scripts() {
    let project = format!(
        "{HEAD}[[io.buildpacks.group]]\nid = \"me/inline\"\n[io.buildpacks.group.script]\napi = \"0.10\"\n\
         shell = \"/bin/bash\"\ninline = '''\n[[ -d $CNB_LAYERS_DIR ]] && echo inline > said\n'''"
    );
    let site = site(&project);
    assert_eq!(site.build().shown(), "me/inline");
    assert_eq!(site.said("said"), "inline\n");
}

#[test]
fn project_descriptor_build_env_yields_to_the_users() {
    for env in ["io.buildpacks.build.env", "io.buildpacks.env.build", "build.env"] {
        let text = format!(
            "[[{env}]]\nname = \"A\"\nvalue = \"project\"\n[[{env}]]\nname = \"B\"\nvalue = \"project\"\n"
        );
        let mut site = Site::new("a", &[pack("a").build("echo $A $B > said")]);
        site.app("project.toml", &text);
        site.env.insert("A".into(), "user".into());
        site.build().built();
        assert_eq!(site.said("said"), "user project\n", "{env}");
    }
}

#[test]
fn project_descriptor_excluded_files_are_not_there() {
    let check = |list: &str, expected: &str| {
        let site =
            Site::new("a", &[pack("a").build("find . -type f | sort | tr '\\n' ' ' > ../found")]);
        site.app("project.toml", &format!("{HEAD}[io.buildpacks]\n{list}\n"));
        site.app("a.md", "").app("src/b.md", "").app("src/c.js", "");
        site.build().built();
        let found = std::fs::read_to_string(site.roots.workspace.join("../found")).unwrap();
        assert_eq!(found.trim_end(), expected, "{list}");
    };
    check("exclude = [\"*.md\", \"/project.toml\"]", "./src/c.js");
    check("exclude = [\"src\"]", "./a.md ./project.toml");
    check("include = [\"src/\"]", "./src/b.md ./src/c.js");
    check("include = [\"*.md\", \"!a.md\"]", "./src/b.md");
}

#[test]
fn project_descriptor_buildpacks_may_be_excluded_from_the_app() {
    let site = site(&format!(
        "{HEAD}[io.buildpacks]\nexclude = [\"own\"]\n[[io.buildpacks.group]]\nuri = \"own\"\n"
    ));
    assert_eq!(site.build().shown(), "own");
    assert!(!site.roots.workspace.join("own").exists());
}

#[test]
fn chosen_buildpacks_take_the_place_of_every_order() {
    // What the project names does not even have to be there.
    let mut site = site(&format!("{HEAD}[[io.buildpacks.group]]\nuri = \"gone\"\n"));
    let composite =
        pack("acme/all").version("3").without_programs().rest(&toml_order("acme/new p"));
    composite.write(&site.roots.buildpacks.join("acme_all/3"));
    pack("acme/new").version("2").write(&site.roots.buildpacks.join("acme_new/2"));
    let chosen = |id: &str, version: Option<&str>| Chosen::Named {
        id: id.into(),
        version: version.map(str::to_owned),
    };
    site.chosen = vec![chosen("acme/all", Some("3")), chosen("a", None)];
    let ran = site.build();
    assert_eq!(ran.shown(), "acme/new p a", "{:?}", ran.outcome);
    pack("acme/mine").version("9").write(&site.roots.buildpacks.join("=/0"));
    site.chosen = vec![Chosen::Folder("=/0".into()), chosen("b", None)];
    assert_eq!(site.build().shown(), "acme/mine b");
    site.chosen = vec![Chosen::Folder("=/1".into())];
    assert_eq!(site.build().shown(), "code 22");
    site.chosen = vec![chosen("acme/none", None)];
    assert_eq!(site.build().shown(), "code 22");
}
