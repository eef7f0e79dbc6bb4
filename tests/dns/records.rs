//! What users may do to zones and records, on a real store.

use paas::{
    clock,
    model::{Actor, DnsData, DnsRecord, Zone},
    ops::{Refusal, RefusalKind, record, zone},
    store::{Store, StoreOptions, View, records},
};
use tempfile::TempDir;

struct Desk {
    store: Store,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let options = StoreOptions { schema: records::schema(), now: clock::system() };
        Self { store: Store::open(&folder.path().join("store"), options).unwrap(), _folder: folder }
    }

    async fn zone(&self, name: &str) -> Result<Zone, Refusal> {
        let name = name.parse().unwrap();
        self.store.transact(move |tx| zone::add(tx, PLATFORM, &name, &actor(), clock::now())).await
    }

    async fn add(&self, text: &str) -> Result<DnsRecord, Refusal> {
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        let draft = record::Draft {
            name: words[0].parse().unwrap(),
            data: DnsData::parse(words[1], words[2]).unwrap(),
            ttl: None,
        };
        self.store
            .transact(move |tx| record::add(tx, PLATFORM, draft, &actor(), clock::now()))
            .await
    }

    async fn remove(&self, name: &str, kind: &'static str) -> Result<Vec<DnsRecord>, Refusal> {
        let name = name.parse().unwrap();
        self.store.transact(move |tx| record::remove(tx, &name, kind, None)).await
    }

    fn records(&self) -> Vec<String> {
        let all = self.store.snapshot().scan::<DnsRecord>(&()).unwrap();
        all.iter().map(|r| format!("{} {} {}", r.name, r.data.kind(), r.data)).collect()
    }
}

fn actor() -> Actor {
    "ann".parse().unwrap()
}

const PLATFORM: &str = "apps.test";

fn kind<T: std::fmt::Debug>(result: Result<T, Refusal>) -> RefusalKind {
    let refusal = result.unwrap_err();
    assert!(refusal.hint.is_some(), "{refusal:?}");
    refusal.kind
}

#[tokio::test]
async fn a_record_needs_a_zone_and_an_alias_stands_alone() {
    let desk = Desk::new();
    assert_eq!(kind(desk.add("www.shop.test A 192.0.2.1").await), RefusalKind::NotFound);
    desk.zone("shop.test").await.unwrap();
    desk.zone("shop.test").await.unwrap();
    desk.add("www.shop.test A 192.0.2.1").await.unwrap();
    desk.add("www.shop.test A 192.0.2.1").await.unwrap();
    desk.add("www.shop.test A 192.0.2.2").await.unwrap();
    desk.add("*.apps.test CNAME shop.test").await.unwrap();
    assert_eq!(desk.records().len(), 3);
    for refused in [
        "www.shop.test CNAME shop.test",
        "*.apps.test A 192.0.2.1",
        "*.apps.test CNAME other.test",
        "shop.test CNAME www.shop.test",
        "apps.test NS ns.elsewhere.test",
    ] {
        assert_eq!(kind(desk.add(refused).await), RefusalKind::Conflict, "{refused}");
    }
    assert_eq!(desk.remove("www.shop.test", "a").await.unwrap().len(), 2);
    assert_eq!(kind(desk.remove("www.shop.test", "a").await), RefusalKind::NotFound);
    desk.add("www.shop.test CNAME shop.test").await.unwrap();
}

#[tokio::test]
async fn a_zone_goes_with_its_records_and_not_with_those_of_a_zone_in_it() {
    let desk = Desk::new();
    assert_eq!(kind(desk.zone(PLATFORM).await), RefusalKind::Conflict);
    assert_eq!(kind(desk.zone("*.shop.test").await), RefusalKind::Invalid);
    desk.zone("shop.test").await.unwrap();
    desk.zone("eu.shop.test").await.unwrap();
    desk.add("shop.test TXT hello").await.unwrap();
    desk.add("www.eu.shop.test A 192.0.2.1").await.unwrap();
    let name = "shop.test".parse().unwrap();
    let gone = desk.store.transact(move |tx| zone::remove(tx, &name)).await.unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!(desk.records(), ["www.eu.shop.test A 192.0.2.1"]);
}
