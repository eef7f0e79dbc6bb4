//! A second machine joins by one word: a folder of its own stands for it.

use std::{fs, path::PathBuf};

use crate::{
    ports::free_port,
    server::{Output, Server, Setup, says},
};

/// A control, and folders of machines.
struct World {
    server: Server,
    link: u16,
}

impl World {
    fn new() -> Self {
        let link = free_port();
        let settings = vec![
            ("PAAS_CLUSTER_LISTEN", format!("127.0.0.1:{link}")),
            ("PAAS_NODE", "Box.example.com".to_owned()),
        ];
        Self { server: Server::starting(Setup { settings, ..Setup::default() }), link }
    }

    /// The word of a new token.
    fn word(&self) -> String {
        let made = self.server.paas(&["nodes", "token", "--json"]).json();
        made["token"].as_str().unwrap().to_owned()
    }

    fn folder(&self, machine: &str) -> PathBuf {
        self.server.home().join(machine)
    }

    /// The machine of that folder joins by that name.
    fn join(&self, machine: &str, word: &str, name: &str) -> Output {
        let data = self.folder(machine);
        let data = data.to_str().unwrap();
        let line =
            ["node", "join", word, "--data", data, "--name", name, "--listen", "127.0.0.1:7601"];
        self.server.paas(&line)
    }

    fn file(&self, machine: &str, name: &str) -> String {
        fs::read_to_string(self.folder(machine).join("node").join(name)).unwrap_or_default()
    }
}

#[test]
fn a_machine_joins_by_one_word_and_only_by_a_good_one() {
    let world = World::new();
    let server = &world.server;
    says(&server.paas(&["nodes"]).ok(), &["box", "control", &format!("127.0.0.1:{}", world.link)]);

    let token = world.word();
    let told = world.join("one", &token, "edge-1").ok();
    says(&told, &["edge-1", "Control       box", "127.0.0.1:7601", "paas server --data"]);
    let identity: serde_json::Value =
        serde_json::from_str(&world.file("one", "identity.json")).unwrap();
    assert_eq!(identity["control"]["addresses"][0], format!("127.0.0.1:{}", world.link));
    let chain = world.file("one", "chain.pem");
    assert_eq!((chain.matches("BEGIN CERTIFICATE").count(), told.contains("PRIVATE")), (1, false));
    says(&server.paas(&["nodes"]).ok(), &["edge-1", "127.0.0.1:7601"]);
    says(&world.join("one", &token, "edge-1").ok(), &["edge-1"]);

    // As after a crash before the last file was written: the key stays, and the token still serves it.
    let key = world.file("one", "key.pem");
    fs::remove_file(world.folder("one").join("node/identity.json")).unwrap();
    world.join("one", &token, "edge-1").ok();
    assert_eq!(world.file("one", "key.pem"), key);

    let again = world.join("two", &token, "edge-2").ended(1);
    says(&again, &["edge-2 did not join: the token was used by edge-1 at ", "`paas nodes token`"]);
    let token = world.word();
    let refused = world.join("two", &token, "edge-1").ended(1);
    says(&refused, &["another machine has that name", "paas nodes remove edge-1", "--name"]);
    let itself = world.join("two", &token, "box").ended(1);
    says(&itself, &["the control itself has that name"]);
    assert_eq!(world.file("two", "identity.json"), "");

    let mut stranger = token.clone();
    // A character of the fingerprint, behind the id, the secret and the time.
    let at = 100;
    let other = if stranger.as_bytes()[at] == b'A' { "B" } else { "A" };
    stranger.replace_range(at..=at, other);
    let refused = world.join("two", &stranger, "edge-2").ended(1);
    says(&refused, &["somebody may be in between", "hint:"]);

    let id = token.split('_').nth(1).unwrap();
    server.paas(&["nodes", "revoke", id]).ok();
    let revoked = world.join("two", &token, "edge-2").ended(1);
    says(&revoked, &["not valid, or was taken back", "`paas nodes token`"]);
    let own = world.server.data().to_str().unwrap().to_owned();
    let control = server.paas(&["node", "join", &token, "--data", &own]).ended(1);
    says(&control, &["a server of its own", "--data DIR"]);

    server.paas(&["nodes", "label", "edge-1", "zone=a"]).ok();
    says(&server.paas(&["nodes"]).ok(), &["zone=a"]);
    server.paas(&["nodes", "remove", "edge-1", "--confirm", "edge-1"]).ok();
    assert!(!server.paas(&["nodes"]).ok().contains("edge-1"));
    let init = server.paas(&["init", "--data", world.folder("one").to_str().unwrap()]).ended(1);
    says(&init, &["the data folder of a node"]);
    world.join("two", &world.word(), "edge-1").ok();
}

#[test]
fn a_server_without_a_link_says_how_to_get_one_and_strangers_are_shut_out() {
    let server = Server::starting(Setup::default());
    let told = server.paas(&["nodes", "token"]).ended(1);
    says(&told, &["no link to other machines", "listen = \"0.0.0.0:7600\"", "config.toml"]);
    let ask = || {
        let request = crate::http::Request {
            method: "POST",
            path: "/v1/nodes/join",
            host: "paas",
            headers: &[
                ("Authorization", "Bearer paasj_0011aabb_00"),
                ("Content-Type", "application/json"),
            ],
            body: br#"{"name":"a","csr":"","address":"127.0.0.1:1"}"#,
        };
        let port = server.address("http").rsplit(':').next().unwrap().parse().unwrap();
        request.over_tcp(port).unwrap().status
    };
    let statuses: Vec<u16> = (0..11).map(|_| ask()).collect();
    assert_eq!((statuses[..10].iter().all(|status| *status == 401), statuses[10]), (true, 429));
}
