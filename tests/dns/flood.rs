//! Too many questions, broken ones, and changes under load.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use paas::dns::Limits;

use crate::stage::{Stage, question, zones};

#[test]
fn who_asks_too_much_hears_little_over_udp_and_all_over_tcp() {
    let rate = NonZeroU32::new(10);
    let stage = Stage::new(Limits { threads: 1, answers_per_second: rate, ..Limits::default() });
    let asker = stage.asker();
    asker.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let questions = 400;
    for number in 0..questions {
        asker.send(&question(number, "shop.example.com")).unwrap();
    }
    let (mut answers, mut slips, mut buffer) = (0, 0, [0; 2048]);
    while let Ok(length) = asker.recv(&mut buffer) {
        if buffer[2] & 2 == 0 {
            answers += 1;
        } else {
            slips += 1;
            assert_eq!(length, question(0, "shop.example.com").len(), "nothing is amplified");
        }
    }
    assert!(answers >= 20, "the burst is answered: {answers}");
    assert!(answers + slips < i32::from(questions) * 3 / 4, "{answers} answers, {slips} slips");
    assert!(slips >= 100, "{slips} slips");
    assert_eq!(over_tcp(stage.at(), "shop.example.com")[7], 1, "one answer");
}

fn over_tcp(at: SocketAddr, name: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let packet = question(1, name);
    stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&packet).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn rubbish_by_the_ten_thousand_changes_nothing() {
    let stage = Stage::new(Limits::default());
    let before = resident();
    let mut dice = fastrand::Rng::with_seed(53);
    let asker = stage.asker();
    for _ in 0..50_000 {
        let mut packet = question(dice.u16(..), "shop.example.com");
        for _ in 0..dice.usize(1..8) {
            let at = dice.usize(..packet.len());
            packet[at] = dice.u8(..);
        }
        packet.truncate(dice.usize(..=packet.len()));
        // What the receiver has no room for is refused to the sender too; that is the flood's loss.
        let _ = asker.send(&packet);
    }
    let calm = Stage::asker(&stage);
    assert!(answered(&calm, 7), "an honest question is answered afterwards");
    assert!(resident() < before + 32 * 1024, "{} KiB before, {} after", before, resident());
}

/// Whether the server answers before the tenth question, the flood's own bucket being refilled.
fn answered(asker: &std::net::UdpSocket, number: u16) -> bool {
    asker.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut buffer = [0; 512];
    (0..10).any(|_| {
        asker.send(&question(number, "shop.example.com")).unwrap();
        asker.recv(&mut buffer).is_ok_and(|_| buffer[..2] == number.to_be_bytes())
    })
}

#[test]
fn zones_change_under_questions_and_none_is_lost() {
    let stage = Stage::new(Limits { answers_per_second: None, ..Limits::default() });
    let asker = stage.asker();
    let mut buffer = [0; 512];
    for number in 0..2000 {
        if number % 20 == 0 {
            stage.zones.send_replace(Arc::new(zones(&format!("192.0.2.{}", number % 200 + 1))));
        }
        asker.send(&question(number, "shop.example.com")).unwrap();
        let length = asker.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..2], number.to_be_bytes());
        let newest = u8::try_from(number / 20 * 20 % 200 + 1).unwrap();
        assert_eq!(buffer[length - 4..length], [192, 0, 2, newest], "the newest zones at once");
    }
}

/// This process's memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
