//! Our own questions to a server, which is ours here and the world's elsewhere.

use paas::dns::{Limits, Lookup, LookupError};

use crate::stage::Stage;

#[tokio::test]
async fn what_a_name_says_and_does_not_say() {
    let stage = Stage::new(Limits::default());
    let lookup = Lookup::at(stage.at()).unwrap();
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    assert_eq!(lookup.addresses("shop.example.com").await, Ok(vec![address("192.0.2.1")]));
    assert_eq!(lookup.addresses("www.example.com").await, Ok(vec![address("192.0.2.1")]));
    assert_eq!(lookup.addresses("two.example.com").await, Ok(vec![address("2001:db8::2")]));
    assert_eq!(lookup.addresses("many.example.com").await.map(|all| all.len()), Ok(150));
    assert_eq!(lookup.addresses("x.two.example.com").await, Err(LookupError::NoSuchName));
    assert_eq!(lookup.addresses("example.com").await, Err(LookupError::NoData));
    assert_eq!(lookup.alias("www.example.com").await.as_deref(), Ok("shop.example.com"));
    assert_eq!(lookup.alias("shop.example.com").await, Err(LookupError::NoData));
    assert_eq!(lookup.texts("example.com").await, Ok(vec!["v=spf1 -all".to_owned()]));
    assert_eq!(lookup.name_servers("example.com").await, Ok(vec!["ns1.example.com".to_owned()]));
    assert!(matches!(lookup.addresses("example.org").await, Err(LookupError::Failed(_))));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_and_no_answer() {
    let stage = Stage::new(Limits::default());
    let at = stage.at();
    drop(stage);
    let lookup = Lookup::at(at).unwrap();
    let failed = lookup.addresses("shop.example.com").await.unwrap_err();
    assert!(matches!(failed, LookupError::Failed(_)), "{failed:?}");
}
