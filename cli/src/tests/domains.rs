//! What `paas domains` and `paas maintenance` ask and say.

use api::{Certificate, DnsSetting, Domain, FaultCode, Pointing};

use super::{User, certs::certificate, server::Server};

fn domain(name: &str, state: &str) -> Domain {
    let record = |kind: &str, value: &str| DnsSetting {
        name: name.to_owned(),
        kind: kind.to_owned(),
        value: value.to_owned(),
    };
    Domain {
        name: name.to_owned(),
        path: "/".to_owned(),
        strip: false,
        app: "shop".to_owned(),
        moved_to: None,
        url: format!("https://{name}"),
        dns: Pointing { state: state.to_owned(), detail: None, since: None },
        certificate: None,
        records: vec![record("CNAME", "shop.apps.example.net")],
        instead: vec![record("A", "192.0.2.1"), record("AAAA", "2001:db8::1")],
        created_at: "2026-01-10T11:00:00Z".to_owned(),
        by: "admin".to_owned(),
    }
}

fn seen(mut domain: Domain, detail: &str) -> Domain {
    domain.dns.detail = Some(detail.to_owned());
    domain
}

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("shop".to_owned());
    user
}

#[tokio::test]
async fn the_list_says_what_is_wrong_and_when_it_is_tried_again() {
    let server = Server::default();
    let mut failing = seen(domain("www.example.com", "elsewhere"), "it leads to 198.51.100.7");
    failing.certificate = Some(Certificate {
        reason: Some("the authority could not reach it".to_owned()),
        hint: Some("point its DNS here first".to_owned()),
        next: Some("2026-01-10T12:05:00Z".to_owned()),
        ..certificate("www.example.com", "failing")
    });
    let mut moved = domain("example.com", "here");
    moved.moved_to = Some("www.example.com".to_owned());
    moved.certificate = Some(certificate("example.com", "issued"));
    let api = Domain { path: "/api".to_owned(), ..domain("example.org", "unchecked") };
    server.on("GET /v1/domains", &[moved, failing, api]);
    let expected = "\
NAME             PATH  APP   CERTIFICATE  DNS
example.com      /     shop  issued       here
  sends its visitors to www.example.com
www.example.com  /     shop  failing      elsewhere
  it leads to 198.51.100.7
  certificate: the authority could not reach it; next try in 5m; point its DNS here first
example.org      /api  shop  -            unchecked
";
    let user = user(&server).await;
    user.types("paas domains").await.succeeded(expected, "");
    server.on("GET /v1/domains?app=shop", &Vec::<Domain>::new());
    user.types("paas domains -a shop")
        .await
        .succeeded("", "There are no domains yet: `paas domains add www.example.com -a APP`\n");
}

#[tokio::test]
async fn adding_prints_the_records_to_set_as_data() {
    let server = Server::default();
    let nowhere = seen(domain("www.example.com", "nowhere"), "the world's DNS has no address");
    server.on("POST /v1/apps/shop/domains", &nowhere);
    let user = user(&server).await;
    user.types("paas domains:add WWW.Example.com. --path /api --strip").await.succeeded(
        "NAME             TYPE   VALUE\nwww.example.com  CNAME  shop.apps.example.net\n",
        "Adding www.example.com to shop... done\nSet 1 record where the DNS of www.example.com is \
         kept:\n(at the top of a zone no CNAME is allowed; there: A 192.0.2.1, AAAA \
         2001:db8::1)\nwww.example.com does not lead here yet: the world's DNS has no \
         address.\nhint: `paas domains check www.example.com` says how far it is\n",
    );
    let sent = r#"{"name":"www.example.com","path":"/api","strip":true,"moved_to":null}"#;
    assert_eq!(server.requests()[0].body, sent);
}

#[tokio::test]
async fn an_apex_gets_a_word_about_www() {
    let server = Server::default();
    server.on("POST /v1/apps/shop/domains", &domain("example.com", "here")).refuse(
        "GET /v1/domains/www.example.com",
        404,
        FaultCode::NotFound,
    );
    user(&server).await.types("paas domains add example.com").await.succeeded(
        "",
        "Adding example.com to shop... done\nhint: for those who type www: `paas domains add \
         www.example.com --moved-to example.com -a shop`\nhttps://example.com works\n",
    );
}

#[tokio::test]
async fn waiting_ends_when_it_works() {
    let server = Server::default();
    let mut issued = domain("a.example.com", "here");
    issued.certificate = Some(Certificate {
        issuer: Some("Example CA".to_owned()),
        ..certificate("a.example.com", "issued")
    });
    server.on("POST /v1/apps/shop/domains", &issued);
    let user = user(&server).await;
    user.types("paas domains add a.example.com --wait")
        .await
        .succeeded("", "Adding a.example.com to shop... done\nhttps://a.example.com works\n");
}

#[tokio::test]
async fn a_domain_is_removed_by_its_name_alone() {
    let server = Server::default();
    server
        .on("DELETE /v1/domains/*.example.com", &[domain("*.example.com", "here")])
        .on("DELETE /v1/domains/example.com?path=%2Fapi", &[domain("example.com", "here")]);
    let user = user(&server).await;
    user.types("paas domains remove *.example.com")
        .await
        .succeeded("", "Removing *.example.com from shop... done\n");
    user.types("paas domains remove example.com --path /api")
        .await
        .succeeded("", "Removing example.com from shop... done\n");
}

#[tokio::test]
async fn a_url_is_no_domain() {
    let words = ["paas", "domains", "add", "https://example.com/api"];
    let refused = crate::args::parse(words.map(Into::into)).unwrap_err().to_string();
    assert!(refused.contains("without `https://`"), "{refused}");
}

#[tokio::test]
async fn maintenance_is_turned_on_and_off() {
    let server = Server::default();
    let mut app = super::commands::app("shop");
    app.maintenance = Some("Back at noon.".to_owned());
    server.on("PUT /v1/apps/shop/maintenance", &app);
    let user = user(&server).await;
    user.runs(&["paas", "maintenance", "on", "--message", "Back at noon."])
        .await
        .succeeded("", "Maintenance of shop is on: Back at noon.\n");
    assert_eq!(server.requests()[0].body, r#"{"on":true,"message":"Back at noon."}"#);
    server.on("GET /v1/apps/shop", &super::commands::app("shop"));
    user.types("paas maintenance").await.succeeded("off\n", "");
}

#[tokio::test]
async fn dns_reads_like_a_zone_file() {
    let server = Server::default();
    let zone = |name: &str, platform| api::Zone {
        name: name.to_owned(),
        platform,
        delegation: vec![DnsSetting {
            name: name.to_owned(),
            kind: "NS".to_owned(),
            value: "ns1.apps.example.net".to_owned(),
        }],
        created_at: None,
        by: None,
    };
    let record = api::Record {
        name: "example.com".to_owned(),
        kind: "MX".to_owned(),
        value: "10 mail.example.com".to_owned(),
        ttl: 300,
        created_at: "2026-01-10T11:00:00Z".to_owned(),
        by: "admin".to_owned(),
    };
    server
        .on("GET /v1/zones", &[zone("apps.example.net", true), zone("example.com", false)])
        .on("GET /v1/records", &[&record])
        .on("POST /v1/records", &record)
        .on("DELETE /v1/records?name=example%2Ecom&kind=MX", &[record])
        .on("PUT /v1/zones/example.com", &zone("example.com", false));
    let user = user(&server).await;
    user.types("paas dns").await.succeeded(
        "; zone apps.example.net, the platform's own\n; zone example.com\nexample.com.  300  IN  \
         MX  10 mail.example.com.\n",
        "",
    );
    let line = "example.com.  300  IN  MX  10 mail.example.com.\n";
    user.types("paas dns add Example.com. MX 10 mail.example.com")
        .await
        .succeeded(line, "Adding a record... done\n");
    let sent = r#"{"name":"example.com","kind":"MX","value":"10 mail.example.com","ttl":null}"#;
    assert_eq!(server.requests()[2].body, sent);
    user.types("paas dns remove example.com MX").await.succeeded(line, "Removing... done\n");
    user.types("paas dns zones add example.com").await.succeeded(
        "NAME         TYPE  VALUE\nexample.com  NS    ns1.apps.example.net\n",
        "Answering for example.com... done\nSet these name servers at the registrar of \
         example.com:\nhint: what else the zone needs, such as mail, comes first: `paas dns add \
         NAME TYPE VALUE`\n",
    );
}
