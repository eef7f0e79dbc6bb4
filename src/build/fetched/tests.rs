//! Fetching from real servers on this machine, which have to be allowed first.

use std::net::TcpListener;

use super::*;

/// Answers each connection with the next of these, and says where it is.
fn server(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
            let mut stream = stream.unwrap();
            let _request = stream.read(&mut [0; 4096]);
            let _sent = stream.write_all(answer.as_bytes());
        }
    });
    at
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

async fn fetch(link: &str, private: &[&str], sha256: Option<&str>) -> Result<String, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let private = private.iter().map(|place| place.parse().unwrap()).collect();
    let fetcher = Fetcher::new(folder.path(), private);
    let wanted = Wanted { link: link.parse().unwrap(), sha256: sha256.map(str::to_owned) };
    let mut text = String::new();
    fetcher.fetch(wanted).await?.read_to_string(&mut text).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    Ok(text)
}

#[tokio::test]
async fn this_server_is_not_asked_unless_somebody_allows_it() {
    let at = server(vec![answer("200 OK", "", "hello")]);
    let port = at.rsplit(':').next().unwrap();
    for host in
        [&at, &format!("localhost:{port}"), &format!("0x7f.1:{port}"), &format!("[::1]:{port}")]
    {
        let refused = fetch(&format!("http://{host}/"), &[], None).await;
        assert!(matches!(refused, Err(FetchError::Address { .. })), "{host}: {refused:?}");
    }
    let refused = fetch(&format!("http://{at}/"), &["10.0.0.0/8", "other.lan"], None).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("127.0.0.1, this server itself"), "{refused}");
    assert!(refused.hint().unwrap().contains("fetch_private = \"127.0.0.1\""));
    let fetched = fetch(&format!("http://{at}/"), &["127.0.0.0/8"], None).await;
    assert_eq!(fetched.unwrap(), "hello");
}

#[tokio::test]
async fn a_redirect_is_looked_at_as_the_first_address_was() {
    let away = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), "");
    let inner = server(vec![answer("200 OK", "", "secret")]);
    let outer = server(vec![away(&format!("http://{inner}/latest"))]);
    let port = outer.rsplit(':').next().unwrap().to_owned();
    let link = format!("http://localhost:{port}/");
    let refused = fetch(&link, &["localhost"], None).await;
    assert!(matches!(refused, Err(FetchError::Address { .. })), "{refused:?}");

    let here = server(vec![away("/two"), away("three"), answer("200 OK", "", "there")]);
    let fetched = fetch(&format!("http://{here}/one"), &["127.0.0.1/32"], None).await;
    assert_eq!(fetched.unwrap(), "there");
    let round = server(vec![away("/"); 10]);
    let fetched = fetch(&format!("http://{round}/"), &["127.0.0.1/32"], None).await;
    assert!(matches!(fetched, Err(FetchError::Around)), "{fetched:?}");
    let file = server(vec![away("file:///etc/passwd")]);
    let fetched = fetch(&format!("http://{file}/"), &["127.0.0.1/32"], None).await;
    assert!(matches!(fetched, Err(FetchError::Sent { .. })), "{fetched:?}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_said() {
    let allowed = ["127.0.0.1/32"];
    let right = hex::encode(Sha256::digest("hello"));
    let at = server(vec![answer("200 OK", "", "hello"); 2]);
    let link = format!("http://{at}/");
    let fetched = fetch(&link, &allowed, Some(&right.to_uppercase())).await;
    assert_eq!(fetched.unwrap(), "hello");
    let wrong = fetch(&link, &allowed, Some(&"0".repeat(64))).await.unwrap_err();
    assert!(wrong.hint().unwrap().contains(&right), "{wrong}");
    let at = server(vec![answer("404 Not Found", "", "no")]);
    let missing = fetch(&format!("http://{at}/x?secret=1"), &allowed, None).await.unwrap_err();
    assert_eq!(missing.to_string(), format!("http://{at}/x answered 404"));
    let at = server(vec!["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_owned()]);
    let short = fetch(&format!("http://{at}/"), &allowed, None).await;
    assert!(matches!(short, Err(FetchError::Broken { .. })), "{short:?}");
}

#[test]
fn a_hint_is_one_word_for_a_shell_whatever_the_address_is() {
    let link: Link = "https://example.com/a';reboot;'".parse().unwrap();
    let source = Box::new(ureq::Error::HostNotFound);
    let hint = FetchError::Unreachable { link, source }.hint().unwrap();
    assert_eq!(hint, "on the server: `curl -fsSLI 'https://example.com/a%27;reboot;%27'`");
}
