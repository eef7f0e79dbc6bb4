//! Who is believed, what is remembered, and which server is asked.

use super::{
    User,
    server::{Authority, Server},
};

pub(super) fn about() -> api::Server {
    api::Server {
        version: "0.1.0".to_owned(),
        node: "one".to_owned(),
        user: "admin".to_owned(),
        domain: "localhost".to_owned(),
        edge_url: "http://localhost:8080".to_owned(),
        http: vec!["127.0.0.1:8080".to_owned()],
        https: Vec::new(),
        dns: Vec::new(),
        engine_fault: None,
        engine_version: Some("20.10".to_owned()),
        stack: "ready".to_owned(),
        firewall: "on".to_owned(),
        kept: None,
        disk_free: 5 << 30,
        memory: 30 << 20,
        controls: Vec::new(),
    }
}

fn answering() -> Server {
    let server = Server::default();
    server.on("GET /v1/server", &about()).on("GET /v1/apps", &Vec::<api::App>::new());
    server
}

#[tokio::test]
async fn a_pinned_server_is_believed_and_remembered() {
    let (server, authority) = (answering(), Authority::new());
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let user = User::of("");
    let fingerprint = authority.fingerprint();
    let login = format!("paas login {url} --token t0 --fingerprint {fingerprint}");
    let outcome = user.types(&login).await;
    let file = user.home.path().join("config/paas/contexts.toml");
    outcome.succeeded(
        "",
        &format!(
            "Logged in to one as admin.\nIt is the context `127.0.0.1` in {}.\n",
            file.display()
        ),
    );
    user.types("paas apps")
        .await
        .succeeded("", "There are no apps yet. In a folder with one: `paas deploy`.\n");
    let tokens: Vec<_> = server.requests().into_iter().map(|asked| asked.token).collect();
    assert_eq!(tokens, vec![Some("Bearer t0".to_owned()); 2]);
}

#[tokio::test]
async fn a_server_is_believed_under_its_own_host_name_too() {
    let (server, authority) = (answering(), Authority::new());
    let url = server.on_tls(&authority, &["127.0.0.1"]).await;
    let mut user = User::of(&url);
    user.environment.token = Some("t0".to_owned());
    user.environment.fingerprint = Some(authority.fingerprint());
    let outcome = user.types("paas apps --json").await;
    outcome.succeeded("[]\n", "");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (server, authority) = (answering(), Authority::new());
    let url = server.on_tls(&authority, &["node-7.paas.internal"]).await;
    let mut user = User::of(&url);
    user.environment.fingerprint = Some(authority.fingerprint());
    let outcome = user.types("paas apps").await;
    assert!(outcome.err.contains("did not prove who it is"), "{outcome:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn another_authority_is_refused_and_learns_nothing() {
    let (server, authority) = (answering(), Authority::new());
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let (user, other) = (User::of(""), Authority::new().fingerprint());
    let login = format!("paas login {url} --token t0 --fingerprint {other}");
    user.types(&login).await.failed(
        1,
        &format!(
            "error: {url} is not the server you logged in to\n  because its authority is {}, not \
         {other}; somebody may be in between\nhint: only if you set the server up anew: `paas \
         login {url}`\n",
            authority.fingerprint()
        ),
    );
    assert!(server.asked().is_empty());
    assert!(!user.home.path().join("config").exists());
}

#[tokio::test]
async fn showing_the_right_authority_without_its_key_is_not_enough() {
    let authority = Authority::new();
    let url = authority.impostor().on_tls().await;
    let user = User::of("");
    let login = format!("paas login {url} --token t0 --fingerprint {}", authority.fingerprint());
    let outcome = user.types(&login).await;
    assert!(outcome.err.contains("did not prove who it is"), "{outcome:?}");
}

#[tokio::test]
async fn without_a_person_nobody_is_believed_unseen() {
    let (server, authority) = (answering(), Authority::new());
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let fingerprint = authority.fingerprint();
    let login = format!("paas login {url} --token t0");
    User::of("").types(&login).await.failed(
        1,
        &format!(
            "error: {url} cannot be trusted yet\n  because nobody confirmed its fingerprint, \
         {fingerprint}\nhint: compare it with what `paas init` showed, then: `paas login {url} \
         --fingerprint {fingerprint}`\n"
        ),
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn on_the_server_itself_nobody_needs_to_log_in() {
    let server = answering();
    let user = User::of("");
    std::fs::create_dir(&user.environment.data).unwrap();
    server.on_unix(&user.environment.data);
    user.types("paas apps --json").await.succeeded("[]\n", "");
    assert_eq!(server.requests()[0].token, None);
    let login = format!("paas login unix:{}/api.sock", user.environment.data.display());
    let outcome = user.types(&login).await;
    assert!(outcome.err.starts_with("Logged in to one as admin.\n"), "{outcome:?}");
}

#[tokio::test]
async fn contexts_are_told_apart_by_name() {
    let (one, two) = (answering(), answering());
    let user = User::of("");
    for (server, name) in [(&one, "one"), (&two, "two")] {
        let url = server.on_tcp().await;
        user.types(&format!("paas --context {name} login {url} --token {name}")).await;
    }
    user.types("paas apps --json").await.succeeded("[]\n", "");
    user.types("paas apps --json --context one").await.succeeded("[]\n", "");
    assert_eq!((one.asked().len(), two.asked().len()), (2, 2));
    user.types("paas apps --context three").await.failed(
        1,
        "error: there is no context `three`\n  because known are: one, two\nhint: `paas login \
         URL --context three` makes it\n",
    );
}

#[tokio::test]
async fn where_there_is_no_server_the_way_to_one_is_told() {
    User::of("").types("paas apps").await.failed(
        1,
        "error: no server is known\n  because nobody has logged in here, and no daemon runs on \
         this machine\nhint: `paas login https://HOST:PORT`, or `sudo paas init` to make this \
         machine a server\n",
    );
    User::of("http://127.0.0.1:1").types("paas apps").await.failed(
        1,
        "error: cannot reach the server at http://127.0.0.1:1\n  because Connection refused (os \
         error 111)\nhint: is the daemon running? `systemctl status paas`, or start it: `sudo \
         paas server`\n",
    );
}

#[tokio::test]
async fn status_says_how_everything_is() {
    let server = answering();
    let user = User::of(&server.on_tcp().await);
    let expected = "\
Server       one, paas 0.1.0
You are      admin
Edge         http://localhost:8080, apps at *.localhost
HTTP         at 127.0.0.1:8080
Engine       Docker 20.10
Base images  ready
Firewall     on
Disk         5.0 GiB free
Memory       30.0 MiB used by the server
";
    user.types("paas status").await.succeeded(expected, "");

    let each = |port: u16| vec![format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let open = api::Server { http: each(80), https: each(443), dns: each(53), ..about() };
    let server = Server::default();
    server.on("GET /v1/server", &open).on("GET /v1/apps", &Vec::<api::App>::new());
    let told = User::of(&server.on_tcp().await).types("paas status").await.out;
    let lines = "\
HTTP         at 0.0.0.0:80, [::]:80
HTTPS        at 0.0.0.0:443, [::]:443
DNS          at 0.0.0.0:53, [::]:53
";
    assert!(told.contains(lines), "{told}");
}

/// The server of a context, which is one of three that keep the records, and what the user did with it last.
async fn one_of_three(authority: &Authority) -> (User, Server, String) {
    let other = Server::default();
    other.on("GET /v1/apps", &Vec::<api::App>::new());
    let (gone, others) = (refusing().await, other.on_tls(authority, &["paas.internal"]).await);
    let server = Server::default();
    let url = server.on_tls(authority, &["paas.internal"]).await;
    let controls = vec![url.clone(), format!("https://{gone}"), others];
    server.on("GET /v1/server", &api::Server { controls, ..about() });
    let user = User::of("");
    let fingerprint = authority.fingerprint();
    let login = format!("paas login {url} --token t0 --fingerprint {fingerprint}");
    assert_eq!(user.types(&login).await.code, std::process::ExitCode::SUCCESS);
    (user, other, url)
}

/// An address of this machine where nobody listens.
async fn refusing() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn contexts(user: &User) -> String {
    std::fs::read_to_string(user.home.path().join("config/paas/contexts.toml")).unwrap()
}

/// The same contexts, where the server's own address is another.
fn readdress(user: &User, url: &str, now: &str) {
    let text = contexts(user).replace(&format!("url = \"{url}\""), &format!("url = \"{now}\""));
    std::fs::write(user.home.path().join("config/paas/contexts.toml"), text).unwrap();
}

#[tokio::test]
async fn where_one_control_is_not_reached_the_others_are_asked_in_turn() {
    let authority = Authority::new();
    let (user, other, url) = one_of_three(&authority).await;
    let gone = refusing().await;
    readdress(&user, &url, &format!("https://{gone}"));
    let outcome = user.types("paas apps --json").await;
    assert_eq!(outcome.out, "[]\n");
    let notes: Vec<&str> = outcome.err.lines().collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with(&format!("{gone} is not reached; asking 127.0.0.1:")),
        "{notes:?}"
    );
    let [first, second] = [0, 1].map(|line: usize| notes[line].rsplit(' ').next().unwrap());
    assert_eq!(notes[1], format!("{first} is not reached; asking {second}"));
    let asked = other.requests();
    assert_eq!((asked[0].what.as_str(), asked.len()), ("GET /v1/apps", 1));
    assert_eq!(asked[0].token.as_deref(), Some("Bearer t0"));
}

#[tokio::test]
async fn whoever_answered_is_asked_for_the_rest_of_a_command() {
    let authority = Authority::new();
    let (user, other, url) = one_of_three(&authority).await;
    other.on("GET /v1/server", &about());
    readdress(&user, &url, &format!("https://{}", refusing().await));
    let outcome = user.types("paas status --json").await;
    assert_eq!(outcome.err.lines().count(), 2, "the notes of one search: {}", outcome.err);
    assert_eq!(other.asked(), ["GET /v1/server", "GET /v1/apps"]);
}

#[tokio::test]
async fn where_no_control_is_reached_the_first_ones_fault_is_told() {
    let authority = Authority::new();
    let (server, user) = (Server::default(), User::of(""));
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let (gone, other) = (refusing().await, refusing().await);
    let controls = vec![format!("https://{other}")];
    server.on("GET /v1/server", &api::Server { controls, ..about() });
    let fingerprint = authority.fingerprint();
    user.types(&format!("paas login {url} --token t0 --fingerprint {fingerprint}")).await;
    readdress(&user, &url, &format!("https://{gone}"));
    let outcome = user.types("paas apps").await;
    let told = format!(
        "{gone} is not reached; asking {other}\nerror: cannot reach the server at https://{gone}\n"
    );
    assert!(outcome.err.starts_with(&told), "{}", outcome.err);
}

#[tokio::test]
async fn a_stranger_at_an_address_is_told_and_nobody_else_is_asked() {
    let authority = Authority::new();
    let (user, other, url) = one_of_three(&authority).await;
    let stranger = answering().on_tls(&Authority::new(), &["paas.internal"]).await;
    readdress(&user, &url, &stranger);
    let outcome = user.types("paas apps").await;
    assert!(outcome.err.contains("is not the server you logged in to"), "{}", outcome.err);
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn others_are_remembered_with_a_login_and_forgotten_when_there_are_none() {
    let (server, authority) = (Server::default(), Authority::new());
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let controls = vec![url.clone(), "https://10.0.0.2:8443".to_owned()];
    server.on("GET /v1/server", &api::Server { controls, ..about() });
    server.on("GET /v1/server", &about());
    server.on("GET /v1/apps", &Vec::<api::App>::new());
    let user = User::of("");
    let fingerprint = authority.fingerprint();
    user.types(&format!("paas login {url} --token t0 --fingerprint {fingerprint}")).await;
    assert!(
        contexts(&user).contains("others = [\"https://10.0.0.2:8443\"]\n"),
        "{}",
        contexts(&user)
    );
    user.types("paas status").await;
    assert!(!contexts(&user).contains("others"), "{}", contexts(&user));
}
