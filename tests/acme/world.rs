//! The world's DNS around a server of ours: a resolver that passes on what it is asked, follows the
//! aliases of one zone that is somebody else's, and knows nothing more.
//!
//! Bytes are read and written by hand, so that our own DNS code is not judged by itself.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::UdpSocket, time::timeout};

/// The zone that is somebody else's.
pub(crate) const FAR: &str = "far.test";

/// It resolves until the test ends.
pub(crate) struct World {
    /// Where it is asked.
    pub(crate) at: SocketAddr,
    aliases: Aliases,
}

type Aliases = Arc<Mutex<BTreeMap<String, String>>>;

impl World {
    /// One that asks the server at `ours` for every other zone.
    pub(crate) async fn around(ours: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let world = Self { at: socket.local_addr().unwrap(), aliases: Aliases::default() };
        let aliases = Arc::clone(&world.aliases);
        tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, asker)) = socket.recv_from(&mut packet).await {
                let answer = answer(&packet[..length], ours, &aliases).await;
                socket.send_to(&answer.unwrap_or_default(), asker).await.ok();
            }
        });
        world
    }

    /// Sets a CNAME record of the foreign zone.
    pub(crate) fn alias(&self, name: &str, target: &str) {
        self.aliases.lock().unwrap().insert(name.to_owned(), target.to_owned());
    }
}

async fn answer(question: &[u8], ours: SocketAddr, aliases: &Aliases) -> Option<Vec<u8>> {
    let (name, end) = name_at(question, HEADER);
    if name != FAR && !name.ends_with(&format!(".{FAR}")) {
        return ask(question, ours).await;
    }
    let kind = number_at(question, end);
    let target = aliases.lock().unwrap().get(&name).cloned();
    let (mut records, mut count, mut code) = (Vec::new(), 0, 0);
    if let Some(target) = target {
        let data = labels(&target);
        put_record(&mut records, HEADER, CNAME, &data);
        count += 1;
        if kind != CNAME {
            // The name of what the alias leads to stands in the alias's own data.
            let place = end + 4 + records.len() - data.len();
            let chased =
                [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &data[..], &question[end..end + 4]];
            let found = ask(&chased.concat(), ours).await?;
            code = found[3] & 0xf;
            for data in records_of(&found, kind) {
                put_record(&mut records, place, kind, &data);
                count += 1;
            }
        }
    } else if kind == A {
        put_record(&mut records, HEADER, A, &[127, 0, 0, 1]);
        count += 1;
    }
    let head = [question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    Some([&head, &question[HEADER..end + 4], &records].concat())
}

async fn ask(question: &[u8], server: SocketAddr) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(question).await.ok()?;
    let mut answer = vec![0; 1500];
    let length = timeout(Duration::from_secs(5), socket.recv(&mut answer)).await.ok()?.ok()?;
    answer.truncate(length);
    Some(answer)
}

/// The data of the records of this type that an answer has.
fn records_of(answer: &[u8], kind: u16) -> Vec<Vec<u8>> {
    let (_, end) = name_at(answer, HEADER);
    let (mut at, mut found) = (end + 4, Vec::new());
    for _ in 0..number_at(answer, 6) {
        let (_, end) = name_at(answer, at);
        let data = end + 10;
        at = data + usize::from(number_at(answer, end + 8));
        if number_at(answer, end) == kind {
            found.push(answer[data..at].to_vec());
        }
    }
    found
}

/// A record whose name stands at `name` in the packet already, good for a second.
fn put_record(records: &mut Vec<u8>, name: usize, kind: u16, data: &[u8]) {
    records.extend((0xc000 | u16::try_from(name).unwrap()).to_be_bytes());
    records.extend(kind.to_be_bytes());
    records.extend([0, 1, 0, 0, 0, 1]);
    records.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    records.extend(data);
}

/// The name at a place in lower case, as far as it is written out there, and where it ends.
fn name_at(packet: &[u8], at: usize) -> (String, usize) {
    let (mut at, mut labels) = (at, Vec::new());
    loop {
        match usize::from(packet[at]) {
            0 => return (labels.join("."), at + 1),
            length if length >= 0xc0 => return (labels.join("."), at + 2),
            length => {
                let label = String::from_utf8_lossy(&packet[at + 1..at + 1 + length]);
                labels.push(label.to_ascii_lowercase());
                at += 1 + length;
            }
        }
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn number_at(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

/// Bytes before the question.
const HEADER: usize = 12;
const A: u16 = 1;
const CNAME: u16 = 5;
