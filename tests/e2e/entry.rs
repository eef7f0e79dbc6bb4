//! Who may talk to the server over the network, and to which server a client talks.

use crate::{
    http::Request,
    server::{Output, Server, run, says},
};

#[test]
fn the_network_needs_a_token_and_the_client_the_right_server() {
    let mut server = Server::start();
    let (token, fingerprint) = server.initialise();
    assert!(!server.log().contains(&token), "a token in the log");

    // TLS, pinned.
    let url = format!("https://{}", server.address("https"));
    let remote = |arguments: &[&str]| -> Output {
        let mut command = server.command(arguments);
        run(command.env_remove("PAAS_URL"))
    };
    let wrong = format!("sha256:{}", "0".repeat(64));
    let told = remote(&["login", &url, "--token", &token, "--fingerprint", &wrong]).ended(1);
    says(&told, &["error:", &fingerprint]);
    let told = remote(&["login", &url, "--token", &token]).ended(1);
    says(&told, &["cannot be trusted yet", &fingerprint, "hint:"]);
    let forged = token.replace(|c: char| c.is_ascii_digit(), "0");
    let told = remote(&["login", &url, "--token", &forged, "--fingerprint", &fingerprint]).ended(1);
    says(&told, &["the token is missing or not valid", "hint:"]);
    let told = remote(&["login", &url, "--token", &token, "--fingerprint", &fingerprint]).ok();
    says(&told, &["Logged in to", "as admin"]);
    remote(&["apps", "create", "from-afar"]).ok();
    says(&remote(&["apps"]).ok(), &["from-afar"]);
    let contexts = server.home().join("client/paas");
    for file in std::fs::read_dir(contexts).unwrap().flatten() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }

    // Plain, on this machine only: the token is asked for all the same.
    let port: u16 = server.address("http").rsplit(':').next().unwrap().parse().unwrap();
    let ask = |bearer: &str| {
        let headers = [("Authorization", bearer)];
        Request { headers: &headers, ..Request::get("paas", "/v1/apps") }.over_tcp(port).unwrap()
    };
    assert_eq!(ask(&format!("Bearer {token}")).status, 200);
    let refused = Request::get("paas", "/v1/apps").over_tcp(port).unwrap();
    assert_eq!((refused.status, refused.json()["code"].as_str()), (401, Some("unauthenticated")));
    assert!(refused.json()["request_id"].is_string());
    let statuses: Vec<u16> = (0..12).map(|_| ask(&format!("Bearer {forged}")).status).collect();
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429));
    // Not even the right one is looked at now; who has the socket file is not shut out.
    let shut = ask(&format!("Bearer {token}"));
    assert_eq!(shut.status, 429);
    says(&shut.text(), &["too many", "hint"]);
    says(&server.paas(&["apps"]).ok(), &["from-afar"]);
    let document = server.api("GET", "/v1/openapi.json", b"").json();
    assert!(document["paths"]["/v1/apps"].is_object());
}

#[test]
fn a_plain_api_for_the_world_is_refused_with_all_other_faults() {
    let server = Server::starting(crate::server::Setup::default());
    let folder = tempfile::tempdir().unwrap();
    let mut command = server.command(&["server", "--api", "http://0.0.0.0:1", "--http", "nowhere"]);
    let told = run(command.arg("--data").arg(folder.path())).ended(1);
    says(&told, &["error:", "--api", "in the clear", "--http", "nowhere"]);
    let taken = format!("127.0.0.1:{}", server.edge());
    let mut command = server.command(&["server", "--http", &taken]);
    let told = run(command.arg("--data").arg(folder.path())).ended(1);
    says(&told, &["error:", &taken, "hint:"]);
}
