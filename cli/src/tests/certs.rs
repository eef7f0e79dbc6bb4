//! What `paas certs` asks and says.

use api::{Certificate, FaultCode};

use super::{User, server::Server};

pub(super) fn certificate(name: &str, state: &str) -> Certificate {
    Certificate {
        name: name.to_owned(),
        source: "acme".to_owned(),
        state: state.to_owned(),
        reason: None,
        hint: None,
        next: None,
        issuer: None,
        names: Vec::new(),
        serial: None,
        not_before: None,
        expires: None,
    }
}

fn issued(name: &str, issuer: &str, expires: &str) -> Certificate {
    Certificate {
        issuer: Some(issuer.to_owned()),
        expires: Some(expires.to_owned()),
        ..certificate(name, "issued")
    }
}

fn own(name: &str) -> Certificate {
    let source = "supplied".to_owned();
    Certificate { source, ..issued(name, "Example CA", "2026-03-01T12:00:00Z") }
}

async fn user(server: &Server) -> User {
    User::of(&server.on_tcp().await)
}

#[tokio::test]
async fn the_list_says_how_far_each_is_and_why_one_is_not() {
    let server = Server::default();
    let renewed = Certificate {
        next: Some("2026-02-09T12:00:00Z".to_owned()),
        ..issued("shop.example.com", "Let's Encrypt R11", "2026-03-11T12:00:00Z")
    };
    let refused = Certificate {
        reason: Some("the authority could not reach it".to_owned()),
        hint: Some("`paas domains check www.example.com` shows where it leads".to_owned()),
        next: Some("2026-01-10T12:05:00Z".to_owned()),
        ..certificate("www.example.com", "failing")
    };
    let revoked = Certificate {
        state: "failing".to_owned(),
        reason: Some("Example CA has revoked it on 2026-01-09 (key compromise)".to_owned()),
        hint: Some("bring another: `paas certs add example.org`".to_owned()),
        ..own("example.org")
    };
    let all = [renewed, certificate("new.example.com", "ordering"), refused, revoked];
    server.on("GET /v1/certificates", &all);
    let expected = "\
NAME              STATE     ISSUER             EXPIRES  NEXT
shop.example.com  issued    Let's Encrypt R11  in 60d   renewed in 30d
new.example.com   ordering  -                  -        under way
www.example.com   failing   -                  -        tried again in 5m
  the authority could not reach it
  hint: `paas domains check www.example.com` shows where it leads
example.org       failing   Example CA         in 50d   yours to renew
  Example CA has revoked it on 2026-01-09 (key compromise)
  hint: bring another: `paas certs add example.org`
";
    let user = user(&server).await;
    user.types("paas certs").await.succeeded(expected, "");
    user.types("paas certs list").await.succeeded(expected, "");
    let json = user.types("paas certs --json").await.out;
    assert_eq!(serde_json::from_str::<Vec<Certificate>>(&json).unwrap(), all);
}

#[tokio::test]
async fn without_any_it_says_how_a_name_gets_one() {
    let server = Server::default();
    server.on("GET /v1/certificates", &Vec::<Certificate>::new());
    let told = "There are no certificates yet; a domain gets one: `paas domains add DOMAIN`\n";
    user(&server).await.types("paas certs").await.succeeded("", told);
}

#[tokio::test]
async fn ones_own_is_sent_from_two_files() {
    let server = Server::default();
    server.on("PUT /v1/certificates/example.org", &own("example.org"));
    let user = user(&server).await;
    user.write("chain.pem", "the chain");
    user.write("key.pem", "the key");
    user.types("paas certs add Example.org. --cert chain.pem --key key.pem").await.succeeded(
        "",
        "Presenting your certificate for example.org... done, until 2026-03-01T12:00:00Z\n",
    );
    assert_eq!(server.requests()[0].body, r#"{"chain":"the chain","key":"the key"}"#);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named_and_nothing_is_sent() {
    let server = Server::default();
    let user = user(&server).await;
    user.write("chain.pem", "the chain");
    user.types("paas certs add example.org --cert chain.pem --key key.pem").await.failed(
        1,
        "error: cannot read key.pem\n  because No such file or directory (os error 2)\n",
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_refusal_keeps_its_reason_and_hint() {
    let server = Server::default();
    let fault = api::Fault {
        code: FaultCode::Invalid,
        message: "certificate of example.org: it is for example.net, not for example.org"
            .to_owned(),
        hint: Some("the chain is a PEM file with the name's own certificate first".to_owned()),
        request_id: "r1".to_owned(),
    };
    let text = serde_json::to_string(&fault).unwrap();
    server.answer("PUT /v1/certificates/example.org", 422, &text);
    let user = user(&server).await;
    user.write("chain.pem", "the chain");
    user.write("key.pem", "the key");
    user.types("paas certs add example.org --cert chain.pem --key key.pem").await.failed(
        1,
        "error: certificate of example.org: it is for example.net, not for example.org\nhint: the \
         chain is a PEM file with the name's own certificate first\n",
    );
}

#[tokio::test]
async fn it_is_taken_back_and_tried_again_by_its_name() {
    let server = Server::default();
    server
        .on("DELETE /v1/certificates/*.example.org", &own("*.example.org"))
        .on("POST /v1/certificates/example.org/retry", &certificate("example.org", "wanted"))
        .refuse("DELETE /v1/certificates/example.net", 404, FaultCode::NotFound);
    let user = user(&server).await;
    user.types("paas certs remove *.example.org")
        .await
        .succeeded("", "Taking the certificate of *.example.org back... done\n");
    user.types("paas certs retry example.org").await.succeeded(
        "",
        "Trying to get a certificate for example.org... begun\nhint: `paas certs` says how far it \
         is\n",
    );
    user.types("paas certs remove example.net")
        .await
        .failed(1, "error: no `DELETE /v1/certificates/example.net`\n");
}
