//! A port on the bridge at which programs in containers say what they do, and ask whether they may: it outlives
//! every machine.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use crate::server::until;

/// It. Whoever connects sends one line; one that begins with `may` is answered, all others are kept.
#[derive(Debug)]
pub(crate) struct Collector {
    port: u16,
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    admitted: Admitted,
}

/// Who may.
#[derive(Debug, Clone, Default)]
enum Admitted {
    #[default]
    All,
    These(Vec<String>),
}

impl Collector {
    /// It listens on every address of this machine, which is also the bridge's.
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let (port, said) = (listener.local_addr().unwrap().port(), Arc::default());
        let kept: Arc<Mutex<Said>> = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                std::thread::spawn(move || {
                    let mut line = String::new();
                    if BufReader::new(&stream).read_line(&mut line).is_ok() && !line.is_empty() {
                        let answer = kept.lock().unwrap().hear(line.trim());
                        let _gone = (&stream).write_all(answer.as_bytes());
                    }
                });
            }
        });
        Self { port, said }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What was said so far, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.said.lock().unwrap().lines.clone()
    }

    /// What was said that begins so.
    pub(crate) fn about(&self, start: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(start)).collect()
    }

    /// Waits until something is said that begins so.
    #[track_caller]
    pub(crate) fn until_said(&self, start: &str) -> String {
        until(&format!("somebody says {start}"), || self.about(start).into_iter().next())
    }

    /// From now on only these may.
    pub(crate) fn admit_only(&self, names: &[String]) {
        self.said.lock().unwrap().admitted = Admitted::These(names.to_vec());
    }

    pub(crate) fn admit_all(&self) {
        self.said.lock().unwrap().admitted = Admitted::All;
    }
}

impl Said {
    fn hear(&mut self, line: &str) -> &'static str {
        let Some(name) = line.strip_prefix("may ") else {
            self.lines.push(line.to_owned());
            return "";
        };
        match &self.admitted {
            Admitted::All => "yes",
            Admitted::These(names) if names.iter().any(|admitted| admitted == name) => "yes",
            Admitted::These(_) => "no",
        }
    }
}
