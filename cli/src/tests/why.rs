//! What `paas why` asks and says.

use std::process::ExitCode;

use api::{Link, Why};

use super::{User, server::Server};

fn why(url: String, obstacle: Option<&str>) -> Why {
    let link = |name: &str, state: &str, fact: &str| Link {
        name: name.to_owned(),
        state: state.to_owned(),
        fact: fact.to_owned(),
    };
    Why {
        url,
        app: Some("shop".to_owned()),
        addresses: Vec::new(),
        links: vec![
            link("name", "ok", "shop.localhost is shop's own name"),
            link("certificate", "remark", "none; plain HTTP is served"),
            link("web.1", "wrong", "v2 hangs"),
        ],
        obstacle: obstacle.map(str::to_owned),
        hint: obstacle.map(|_| "`paas logs -a shop`".to_owned()),
    }
}

#[tokio::test]
async fn a_page_that_answers_is_well_whatever_else_is_said() {
    let server = Server::default();
    let at = server.on_tcp().await;
    let user = User::of(&at);
    let page = format!("{}/v1/up", at.replace("127.0.0.1", "shop.localhost"));
    server.on("GET /v1/why?host=shop%2Elocalhost&path=%2Fup", &why(page, Some("it hangs")));
    server.on("GET /v1/up", &"well");
    let outcome = user.types("paas why http://shop.localhost:8080/up").await;
    assert_eq!((outcome.code, &*outcome.err), (ExitCode::SUCCESS, ""), "{}", outcome.out);
    for part in [
        "✓ name         shop.localhost is shop's own name\n",
        "· certificate  none; plain HTTP is served\n",
        "✗ web.1        v2 hangs\n",
        "✓ from here    shop.localhost leads to 127.0.0.1 (",
        "✓ from here    GET /v1/up is answered with 200 (",
        "/v1/up answers 200\n",
    ] {
        assert!(outcome.out.contains(part), "{part} is not in\n{}", outcome.out);
    }
    let json = user.types("paas why shop.localhost/up --json").await.out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["conclusion"]["answers"], true);
    assert_eq!(
        (&json["server"]["app"], json["here"].as_array().unwrap().len()),
        (&"shop".into(), 3)
    );
}

#[tokio::test]
async fn one_that_does_not_is_a_failure_with_a_hint() {
    let server = Server::default();
    let user = User::of(&server.on_tcp().await);
    // Nobody listens on port 1.
    let page = "http://shop.localhost:1/".to_owned();
    server.on("GET /v1/why?app=shop", &why(page, Some("shop is scaled to zero")));
    let outcome = user.types("paas why shop").await;
    assert_eq!((outcome.code, &*outcome.err), (ExitCode::from(1), ""), "{}", outcome.out);
    assert!(outcome.out.contains("✗ from here    "), "{}", outcome.out);
    assert!(
        outcome.out.ends_with("\n✗ shop is scaled to zero\nhint: `paas logs -a shop`\n"),
        "{}",
        outcome.out
    );
    let refused = user.types("paas why a_b").await;
    assert_eq!(refused.code, ExitCode::from(2), "{}", refused.err);
}
