//! What the DNS servers of machines answer to whoever asks them over the network.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use crate::{
    APP,
    server::{Output, run, until},
};

/// Asks the DNS server of one machine.
fn dig(at: Ipv4Addr, question: &[&str]) -> Output {
    let mut dig = Command::new("dig");
    dig.arg(format!("@{at}")).args(question).args(["+short", "+norecurse", "+tries=2", "+time=5"]);
    run(&mut dig)
}

/// Waits until the DNS server of one machine answers a question with these lines, in any order.
#[track_caller]
pub(crate) fn until_answers(at: Ipv4Addr, question: &[&str], expected: &[String]) {
    let mut expected = expected.to_vec();
    expected.sort();
    until(&format!("{at} answers {question:?} with {expected:?}"), || {
        let told = dig(at, question);
        let mut lines: Vec<_> = told.stdout.lines().collect();
        lines.sort_unstable();
        (told.code == 0 && lines == expected).then_some(())
    });
}

/// Has a zone with a text and the app's domain in it, by these commands.
pub(crate) fn publish(paas: impl Fn(&[&str]) -> Output) {
    paas(&["dns", "zones", "add", "shop.test"]).ok();
    paas(&["domains", "add", "www.shop.test", "-a", APP]).ok();
    paas(&["dns", "add", "text.shop.test", "TXT", "hello"]).ok();
}

/// Waits until a machine answers for all that was published, over UDP and TCP, and leads to these machines and no others.
#[track_caller]
pub(crate) fn until_leads_to(at: Ipv4Addr, machines: &[Ipv4Addr]) {
    let machines: Vec<_> = machines.iter().map(ToString::to_string).collect();
    until_answers(at, &["www.shop.test", "A"], &machines);
    until_answers(at, &["www.shop.test", "A", "+tcp"], &machines);
    until_answers(at, &["text.shop.test", "TXT"], &["\"hello\"".to_owned()]);
    let servers = ["ns1", "ns2"].map(|name| format!("{name}.localhost."));
    until_answers(at, &["shop.test", "NS"], &servers);
}

/// Somebody who asks machines for a text again and again, so that a test can say that all was answered.
#[derive(Debug)]
pub(crate) struct Asker {
    stop: Arc<AtomicBool>,
    asks: Option<JoinHandle<Asked>>,
}

/// How often was asked, and whatever was no answer.
type Asked = (usize, Vec<String>);

impl Asker {
    pub(crate) fn of(machines: Vec<Ipv4Addr>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asks = std::thread::spawn({
            let stop = stop.clone();
            move || ask(&machines, &stop)
        });
        Self { stop, asks: Some(asks) }
    }

    /// Ends it, and fails unless each question was answered; how many there were.
    #[track_caller]
    pub(crate) fn all_was_answered(mut self) -> usize {
        self.stop.store(true, Relaxed);
        let (asked, faults) = self.asks.take().unwrap().join().unwrap();
        assert!(faults.is_empty(), "{} of {asked} failed: {:?}", faults.len(), faults.first());
        asked
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

fn ask(machines: &[Ipv4Addr], stop: &AtomicBool) -> Asked {
    let (mut asked, mut faults) = (0, Vec::new());
    for at in machines.iter().cycle() {
        if stop.load(Relaxed) {
            break;
        }
        let told = dig(*at, &["text.shop.test", "TXT"]);
        if told.stdout != "\"hello\"\n" {
            faults.push(format!("{at}: {told:?}"));
        }
        asked += 1;
        // A pace that leaves the machine to those who are tested.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (asked, faults)
}
