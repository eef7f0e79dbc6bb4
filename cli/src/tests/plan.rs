//! `paas plan`, `paas apply` and `paas config validate`.

use api::{Declared, Difference, Plan};

use super::{User, server::Server};

#[tokio::test]
async fn a_plan_says_what_would_change() {
    let server = Server::default();
    let difference = |setting: &str, from: Option<&str>, to: Option<&str>| Difference {
        setting: setting.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let plan = Plan {
        release: Some("v9".to_owned()),
        changes: vec![
            difference("env.A", None, Some("1")),
            difference("env.B", Some("one\ntwo"), None),
            difference("process.web.scale", Some("1"), Some("2")),
        ],
        wins: vec!["web=3 by `paas scale`, not 2".to_owned()],
        lacks: vec!["KEY".to_owned(), "TOKEN".to_owned()],
        remarks: vec!["-----> fly.toml, where paas.toml is silent".to_owned()],
    };
    server.on("POST /v1/apps/hello/plan", &plan);
    server.on("POST /v1/apps/hello-staging/plan", &Plan::default());
    let user = User::of(&server.on_tcp().await);
    user.write("paas.toml", "app = \"hello\"");
    user.write("paas.staging.toml", "");
    user.write("fly.toml", "");
    user.write("other.toml", "");
    let shown = "~ files              4 files, not compared with what runs\n\
                 + env.A              1\n- env.B              one…\n~ process.web.scale  1 -> 2\n";
    let talk = "-----> hello, which runs v9\n-----> fly.toml, where paas.toml is silent\n\
                -----> Settings of the server that win over paas.toml\n       \
                web=3 by `paas scale`, not 2\n-----> Not set, and the files count on it\n       \
                KEY TOKEN: `paas secrets set KEY TOKEN -a hello`\n`paas apply` does it.\n";
    user.types("paas plan").await.succeeded(shown, talk);
    let sent: Declared = serde_json::from_slice(&server.requests()[0].body).unwrap();
    let names: Vec<_> = sent.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["fly.toml", "paas.staging.toml", "paas.toml"]);
    user.types("paas config validate").await.succeeded(
        "",
        "-----> fly.toml, where paas.toml is silent\n3 files read; nothing is wrong.\n",
    );
    assert_eq!(server.requests().len(), 3);
    let asked = user.types("paas apply").await;
    assert!(asked.err.ends_with("hint: `paas apply --yes` does not ask\n"), "{}", asked.err);
    for of_no_folder in ["--ref x", "--url https://example.com/x.tgz"] {
        user.types(&format!("paas apply --yes {of_no_folder}")).await.failed(
            2,
            "error: only of a folder it is known before what would change\n\
             hint: `paas deploy` takes --ref and --url\n",
        );
    }
}
