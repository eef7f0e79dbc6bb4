//! Whole commands against a small real server, over every kind of line.

mod certs;
mod commands;
mod cron;
mod deploy;
mod deploys;
mod domains;
mod git;
mod keys;
mod logins;
mod nodes;
mod plan;
mod runs;
mod secrets;
mod server;
mod volumes;
mod why;

use std::{
    cell::RefCell,
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    rc::Rc,
};

use crate::{Request, args, environment::Environment, perform, ui::Ui};

/// A user: a home, a folder, an environment.
struct User {
    home: tempfile::TempDir,
    environment: Environment,
}

/// What a command came to.
#[derive(Debug)]
struct Outcome {
    code: ExitCode,
    out: String,
    err: String,
}

impl User {
    /// A user of the server at `url`, in an empty folder called `my-app`.
    fn of(url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("my-app");
        std::fs::create_dir(&folder).unwrap();
        let environment = Environment {
            folder,
            home: Some(home.path().to_owned()),
            config: Some(home.path().join("config")),
            cache: Some(home.path().join("cache")),
            data: home.path().join("data"),
            url: (!url.is_empty()).then(|| url.to_owned()),
            ..Environment::default()
        };
        Self { home, environment }
    }

    fn folder(&self) -> &Path {
        &self.environment.folder
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.folder().join(path), text).unwrap();
    }

    /// Types a command, words split at white space.
    async fn types(&self, line: &str) -> Outcome {
        self.runs(&line.split_whitespace().collect::<Vec<_>>()).await
    }

    async fn runs(&self, words: &[&str]) -> Outcome {
        let (out, err) = (Screen::default(), Screen::default());
        let cli = args::parse(words.iter().map(OsString::from)).unwrap();
        let ui = Ui::to(Box::new(out.clone()), Box::new(err.clone()), &cli.shared);
        let request = Request { shared: cli.shared, command: cli.command };
        let code = perform(request, self.environment.clone(), ui).await;
        Outcome { code, out: out.text(), err: err.text() }
    }
}

impl Outcome {
    #[track_caller]
    fn succeeded(self, out: &str, err: &str) {
        assert_eq!((self.code, &*self.out, &*self.err), (ExitCode::SUCCESS, out, err));
    }

    #[track_caller]
    fn failed(self, code: u8, err: &str) {
        assert_eq!((self.code, &*self.out, &*self.err), (ExitCode::from(code), "", err));
    }
}

/// What was printed.
#[derive(Debug, Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
