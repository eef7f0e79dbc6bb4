//! Machines that joined, tokens for others, and the request by which one joins.

use std::collections::BTreeMap;

use super::{
    User,
    server::{Authority, Server},
};
use crate::{Control, ask_to_join};

fn node(name: &str, state: &str) -> api::Node {
    api::Node {
        name: name.to_owned(),
        state: state.to_owned(),
        reason: None,
        since: None,
        address: Some("203.0.113.7:7600".to_owned()),
        version: Some("0.1.0".to_owned()),
        instances: None,
        drained: false,
        idle: None,
        apart: Vec::new(),
        keeps_records: false,
        labels: BTreeMap::new(),
        joined_at: None,
        by: None,
    }
}

#[tokio::test]
async fn nodes_are_listed_with_what_ails_them() {
    let server = Server::default();
    let labels = [("disk", "ssd"), ("zone", "a")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let down = api::Node {
        reason: Some("connection refused".to_owned()),
        since: Some("2026-01-10T11:00:00Z".to_owned()),
        address: Some("203.0.113.9:7600".to_owned()),
        labels: BTreeMap::from(labels),
        joined_at: Some("2026-01-10T09:00:00Z".to_owned()),
        by: Some("admin".to_owned()),
        ..node("edge-1", "down")
    };
    let alone = [node("box", "control")];
    let control = api::Node { instances: Some(3), ..node("box", "control") };
    let idle = api::Node { idle: Some("it has no Docker".to_owned()), ..node("edge-2", "up") };
    let apart = ["edge-2", "edge-4"].map(str::to_owned).into();
    let apart = api::Node { instances: Some(2), apart, ..node("edge-3", "up") };
    server.on("GET /v1/nodes", &[control, down, idle, apart]);
    server.on("GET /v1/nodes", &alone);
    server.on("GET /v1/nodes/rebalance", &api::Rebalance::default());
    let user = User::of(&server.on_tcp().await);
    let expected = "\
NODE    STATE     INSTANCES  ADDRESS           VERSION  LABELS           JOINED
box     control   3          203.0.113.7:7600  0.1.0    -                -
edge-1  down 60m  -          203.0.113.9:7600  0.1.0    disk=ssd zone=a  3h
  connection refused
edge-2  up        -          203.0.113.7:7600  0.1.0    -                -
  runs no instances: it has no Docker
edge-3  up        2          203.0.113.7:7600  0.1.0    -                -
  reaches edge-2, edge-4 by way of the control only
";
    let listed = user.types("paas nodes").await;
    listed.succeeded(expected, "");
    let hint = "hint: `paas nodes token` prints the command that makes another machine a node\n";
    let lonely = user.types("paas nodes list").await;
    assert_eq!(lonely.err, hint);
}

#[tokio::test]
async fn a_token_is_a_command_to_run_elsewhere() {
    let server = Server::default();
    let made = api::NewJoinToken {
        id: "0011aabb".to_owned(),
        token: "paasj_0011aabb_00_x".to_owned(),
        command: "paas node join paasj_0011aabb_00_x".to_owned(),
        expires_at: "2026-01-10T12:30:00Z".to_owned(),
    };
    server.on("POST /v1/nodes/tokens", &made);
    let token = api::JoinToken {
        id: "0011aabb".to_owned(),
        state: "open".to_owned(),
        expires_at: made.expires_at.clone(),
        used_by: None,
        used_at: None,
        created_at: "2026-01-10T11:30:00Z".to_owned(),
        by: "admin".to_owned(),
    };
    let spent = api::JoinToken {
        id: "22".to_owned(),
        state: "used".to_owned(),
        used_by: Some("edge-1".to_owned()),
        used_at: Some("2026-01-10T11:31:00Z".to_owned()),
        ..token.clone()
    };
    server.on("GET /v1/nodes/tokens", &[token, spent.clone()]);
    server.on("DELETE /v1/nodes/tokens/22", &spent);
    let user = User::of(&server.on_tcp().await);
    let told = "On the other machine, as root:\n\
                It works once and ends in 30m; `paas nodes revoke 0011aabb` ends it now.\n";
    let command = "paas node join paasj_0011aabb_00_x\n";
    user.types("paas nodes token --ttl 30m").await.succeeded(command, told);
    assert_eq!(server.requests()[0].body, r#"{"ttl_ms":1800000}"#);
    let wrong = "error: `soon` is not a length of time\n\
                 hint: write it like `--ttl 30m`, `1h` or `7d`\n";
    user.types("paas nodes token --ttl soon").await.failed(2, wrong);
    let table = "\
ID        STATE  ENDS    USED BY  AGE  BY
0011aabb  open   in 30m  -        30m  admin
22        used   -       edge-1   30m  admin
";
    user.types("paas nodes tokens").await.succeeded(table, "");
    let gone = "The token 22 is gone; edge-1, which joined by it, stays.\n";
    user.types("paas nodes revoke 22").await.succeeded("", gone);
    let odd = user.types("paas nodes revoke ../apps").await;
    assert!(odd.err.contains("is not a token's id"), "{}", odd.err);
}

#[tokio::test]
async fn nodes_are_labelled_and_removed() {
    let server = Server::default();
    let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
    server.on("PATCH /v1/nodes/edge-1/labels", &api::Node { labels, ..node("edge-1", "up") });
    server.on("DELETE /v1/nodes/edge-1?confirm=edge%2D1", &node("edge-1", "up"));
    let user = User::of(&server.on_tcp().await);
    let said = "edge-1 has the labels zone=a.\n";
    user.types("paas nodes label edge-1 zone=a disk-").await.succeeded("", said);
    assert_eq!(server.requests()[0].body, r#"{"labels":{"disk":null,"zone":"a"}}"#);
    let odd = user.types("paas nodes label edge-1 zone").await;
    assert!(odd.err.contains("hint: `paas nodes label edge-1 zone=a` sets one"), "{}", odd.err);
    let kept = user.types("paas nodes remove edge-1").await;
    assert!(kept.err.contains("hint: `paas nodes remove edge-1 --confirm edge-1`"), "{}", kept.err);
    let gone = "Removing the node edge-1... done\n";
    user.types("paas nodes remove edge-1 --confirm edge-1").await.succeeded("", gone);
}

fn keeping(name: &str, state: &str) -> api::Node {
    api::Node { keeps_records: true, ..node(name, state) }
}

#[tokio::test]
async fn nodes_are_promoted_and_demoted() {
    let server = Server::default();
    let (box_, one, two) =
        (keeping("box", "control"), keeping("edge-1", "up"), keeping("edge-2", "up"));
    let three = [box_.clone(), one.clone(), two.clone(), node("edge-3", "up")];
    let five = [&three[..3], &[keeping("edge-3", "up"), keeping("edge-4", "up")]].concat();
    let alone = [node("box", "control"), node("edge-1", "up"), node("edge-2", "up")];
    for answer in [&three[..], &five] {
        server.on("POST /v1/nodes/promote", &answer);
    }
    for answer in [&three[..], &alone] {
        server.on("POST /v1/nodes/demote", &answer);
    }
    let user = User::of(&server.on_tcp().await);
    let said = "edge-1 and edge-2 keep the records, too: any one of the three may be lost.\n";
    user.types("paas nodes promote edge-1 edge-2").await.succeeded("", said);
    assert_eq!(server.requests()[0].body, r#"{"nodes":["edge-1","edge-2"]}"#);
    let said = "edge-3 and edge-4 keep the records, too: any two of the five may be lost.\n";
    user.types("paas nodes promote edge-3 edge-4").await.succeeded("", said);
    let said = "edge-4 and edge-3 keep the records no more: any one of the three may be lost.\n";
    user.types("paas nodes demote edge-4 edge-3").await.succeeded("", said);
    let said = "edge-1 and edge-2 keep the records no more: box alone does.\n";
    user.types("paas nodes demote edge-1 edge-2").await.succeeded("", said);
    assert_eq!(server.asked().len(), 4, "over a line without TLS there is nobody else to ask");
    let odd = user.types("paas nodes promote ../apps").await;
    assert!(odd.err.contains("`../apps` is not a node's name"), "{}", odd.err);
}

#[tokio::test]
async fn it_is_shown_which_machines_keep_the_records() {
    let server = Server::default();
    let since = Some("2026-01-10T09:00:00Z".to_owned());
    let up = api::Node { since, drained: true, ..keeping("edge-1", "up") };
    let three = [keeping("box", "control"), up, keeping("edge-2", "up"), node("edge-3", "up")];
    server.on("GET /v1/nodes", &three).on("GET /v1/nodes", &three[..2].to_vec());
    server.on("GET /v1/nodes/rebalance", &api::Rebalance::default());
    let user = User::of(&server.on_tcp().await);
    let expected = "\
NODE    STATE                         INSTANCES  ADDRESS           VERSION  LABELS  JOINED
box     control, keeps records        -          203.0.113.7:7600  0.1.0    -       -
edge-1  up 3h drained, keeps records  -          203.0.113.7:7600  0.1.0    -       -
edge-2  up, keeps records             -          203.0.113.7:7600  0.1.0    -       -
edge-3  up                            -          203.0.113.7:7600  0.1.0    -       -
";
    user.types("paas nodes").await.succeeded(expected, "");
    let said = "hint: two machines keep the records, which is no better than one: `paas nodes promote NODE`\n";
    assert_eq!(user.types("paas nodes").await.err, said);
}

#[tokio::test]
async fn a_context_learns_with_a_promotion_where_else_to_ask() {
    let (server, authority) = (Server::default(), Authority::new());
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let three = [keeping("box", "control"), keeping("edge-1", "up"), keeping("edge-2", "up")];
    server.on("POST /v1/nodes/promote", &three);
    let controls = [&url, "https://10.0.0.2:8443", "https://10.0.0.3:8443"].map(str::to_owned);
    server
        .on("GET /v1/server", &api::Server { controls: controls.into(), ..super::logins::about() });
    let user = User::of("");
    let folder = user.home.path().join("config/paas");
    std::fs::create_dir_all(&folder).unwrap();
    let fingerprint = authority.fingerprint();
    let known = format!(
        "version = 1\ncurrent = \"box\"\n[contexts.box]\nurl = \"{url}\"\nfingerprint = \"{fingerprint}\"\n"
    );
    std::fs::write(folder.join("contexts.toml"), known).unwrap();
    user.types("paas nodes promote edge-1 edge-2").await;
    assert_eq!(server.asked(), ["POST /v1/nodes/promote", "GET /v1/server"]);
    let known = std::fs::read_to_string(folder.join("contexts.toml")).unwrap();
    let others = "others = [\"https://10.0.0.2:8443\", \"https://10.0.0.3:8443\"]\n";
    assert!(known.ends_with(others), "{known}");
}

#[tokio::test]
async fn a_machine_asks_the_pinned_control_and_nobody_else() {
    let (server, authority) = (Server::default(), Authority::new());
    let joined = api::Joined {
        name: "edge-1".to_owned(),
        authority: "an authority".to_owned(),
        chain: "a chain".to_owned(),
        control: "box".to_owned(),
        addresses: vec!["203.0.113.7:7600".to_owned()],
    };
    server.on("POST /v1/nodes/join", &joined);
    server.refuse("POST /v1/nodes/join", 409, api::FaultCode::Conflict);
    let url = server.on_tls(&authority, &["paas.internal"]).await;
    let here = url.strip_prefix("https://").unwrap().parse().unwrap();
    let wish = api::Join {
        name: "edge-1".to_owned(),
        csr: "a request".to_owned(),
        address: "203.0.113.9:7600".to_owned(),
    };
    let digits = authority.fingerprint().replace("sha256:", "");
    let mut fingerprint = [0; 32];
    hex::decode_to_slice(digits, &mut fingerprint).unwrap();
    let nobody = "127.0.0.1:1".parse().unwrap();
    let control = Control { api: &[nobody, here], fingerprint };
    assert_eq!(ask_to_join(control, "paasj_1_2", &wish).await, Ok(joined));
    let asked = &server.requests()[0];
    assert_eq!(asked.token.as_deref(), Some("Bearer paasj_1_2"));

    let other = Control { api: &[nobody, here], fingerprint: [7; 32] };
    let said = ask_to_join(other, "paasj_1_2", &wish).await.unwrap_err();
    for part in ["127.0.0.1:1", "somebody may be in between"] {
        assert!(said.why.contains(part), "{part}: {}", said.why);
    }
    assert_eq!(server.requests().len(), 1, "the proof is not shown to a stranger");

    let refused = ask_to_join(control, "paasj_1_2", &wish).await.unwrap_err();
    assert_eq!(refused.why, "no `POST /v1/nodes/join`", "whoever is proved is believed at once");
}

#[tokio::test]
async fn a_node_is_drained_and_what_moves_is_said() {
    let server = Server::default();
    let drained = api::Node { drained: true, ..node("edge-1", "up") };
    let left = ("shop".to_owned(), "v7 is being rolled out".to_owned());
    let answer = api::Drained {
        node: drained.clone(),
        moving: vec!["blog".to_owned(), "site".to_owned()],
        left: [left].into(),
    };
    server.on("PUT /v1/nodes/edge-1/drain", &answer);
    server.on("DELETE /v1/nodes/edge-1/drain", &node("edge-1", "up"));
    server.on("GET /v1/nodes", &[node("box", "control"), drained]);
    server.on("GET /v1/nodes/rebalance", &api::Rebalance::default());
    let user = User::of(&server.on_tcp().await);
    let told = user.types("paas nodes drain edge-1").await.err;
    assert_eq!(
        told,
        "Nothing new is started on edge-1; blog, site move.\nshop does not move by this: v7 is being rolled \
         out.\n`paas nodes` shows how many instances edge-1 still has.\n"
    );
    assert!(user.types("paas nodes").await.out.contains("up drained"));
    let told = user.types("paas nodes undrain edge-1").await.err;
    assert!(told.starts_with("Instances are started on edge-1 again."), "{told}");
}

fn moving(app: &str, process: &str, nodes: &[(&str, usize, usize)]) -> api::Move {
    let shift = |(node, from, to): &(&str, usize, usize)| {
        ((*node).to_owned(), api::Shift { from: *from, to: *to })
    };
    let nodes = nodes.iter().map(shift).collect();
    api::Move { app: app.to_owned(), process: process.to_owned(), nodes }
}

#[tokio::test]
async fn what_would_move_is_shown_before_it_does() {
    let server = Server::default();
    let why = "its db would end before it begins anew".to_owned();
    let uneven = api::Rebalance {
        moves: vec![
            moving("blog", "web", &[("box", 1, 0), ("edge-1", 0, 1)]),
            moving("shop", "web", &[("edge-1", 3, 2), ("edge-2", 0, 1)]),
            moving("shop", "worker", &[("box", 2, 1), ("edge-2", 0, 1)]),
        ],
        left: [("mail".to_owned(), why)].into(),
        ..api::Rebalance::default()
    };
    server.on("GET /v1/nodes", &[node("box", "control"), node("edge-1", "up")]);
    let under_way = api::Rebalance {
        moving: Some("blog".to_owned()),
        waiting: vec!["shop".to_owned()],
        ..api::Rebalance::default()
    };
    let at_rest = api::Rebalance::default();
    for seen in [&uneven, &uneven, &uneven, &uneven, &under_way, &at_rest, &under_way] {
        server.on("GET /v1/nodes/rebalance", seen);
    }
    let begun =
        api::Rebalance { waiting: vec!["blog".to_owned(), "shop".to_owned()], ..uneven.clone() };
    server.on("POST /v1/nodes/rebalance", &begun);
    let user = User::of(&server.on_tcp().await);
    let listed = user.types("paas nodes").await;
    assert_eq!(listed.err, "hint: 2 apps are spread unevenly: `paas nodes rebalance`\n");

    let table = "\
APP   PROCESS  INSTANCES
blog  web      box 1 -> 0, edge-1 0 -> 1
shop  web      edge-1 3 -> 2, edge-2 0 -> 1
shop  worker   box 2 -> 1, edge-2 0 -> 1
";
    let left = "mail does not move by this: its db would end before it begins anew.\n";
    let does = format!("{left}`paas nodes rebalance` does it.\n");
    user.types("paas nodes rebalance --dry-run").await.succeeded(table, &does);
    let asked = user.types("paas nodes rebalance").await;
    assert!(asked.err.contains("hint: `paas nodes rebalance --yes` does not ask"), "{}", asked.err);
    assert!(!server.asked().iter().any(|what| what.starts_with("POST")), "{:?}", server.asked());

    let told = "2 apps to restart, one after another.\n\
                `paas nodes rebalance --dry-run` shows how far that is.\n";
    user.types("paas nodes rebalance --yes").await.succeeded(table, &format!("{left}{told}"));
    let told = "blog is moving; after it shop.\nNothing else would be elsewhere.\n";
    user.types("paas nodes rebalance").await.succeeded("", told);
    let told = "Nothing moves: a new placement would be no better.\n";
    user.types("paas nodes rebalance --yes").await.succeeded("", told);
    let json = user.types("paas nodes rebalance --dry-run --json").await;
    assert_eq!(serde_json::from_str::<api::Rebalance>(&json.out).unwrap(), under_way);
}
