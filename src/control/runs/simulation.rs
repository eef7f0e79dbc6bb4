//! Runs under a thousand fates, by one seed each: users who leave or stop them, an engine that fails, a
//! daemon that dies between any two steps. Afterwards, when nothing goes wrong any more, each of them
//! is over, nothing is left of it, and it has begun at most once.

use std::time::Duration;

use super::plan::{Fate, Known, Output, Session, Step, Turn, plan};
use crate::{
    engine::Signal,
    model::{
        ContainerId, Exit, Instance, InstanceState, ReleaseVersion, Run, RunConsole, RunNumber,
        RunStatus, Timestamp,
    },
};

struct World {
    dice: fastrand::Rng,
    now: Timestamp,
    run: Run,
    container: Option<Instance>,
    session: Session,
    stopping_since: Option<Timestamp>,
    app: Fate,
    /// Whether SIGTERM and SIGHUP mean anything to it.
    listens: bool,
    /// Whether its session has made its container, which it does once.
    made: bool,
    begun: u32,
    killed: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let consoles = [RunConsole::Detached, RunConsole::Pipes, RunConsole::Terminal];
        let console = consoles[dice.usize(..consoles.len())];
        let attached = console != RunConsole::Detached;
        let run = Run {
            app: "shop".parse().unwrap(),
            number: RunNumber(1),
            release: ReleaseVersion(1),
            process: "web".parse().unwrap(),
            command: vec!["true".to_owned()],
            memory: None,
            console,
            timeout: dice.bool().then(|| Duration::from_mins(1)),
            by: "root".parse().unwrap(),
            at: Timestamp::default(),
            stopped_by: None,
            cron: None,
            machine: None,
            status: RunStatus::Starting,
        };
        Self {
            listens: dice.bool(),
            dice,
            now: Timestamp::default(),
            run,
            container: None,
            session: if attached { Session::Here } else { Session::None },
            stopping_since: None,
            app: Fate::Stays,
            made: false,
            begun: 0,
            killed: 0,
        }
    }

    /// What users, the app's program and fate do.
    fn happens(&mut self) {
        self.now = self.now.plus(Duration::from_millis(self.dice.u64(0..8000)));
        let here = self.session == Session::Here;
        match self.dice.u32(0..12) {
            0 => self.ends(0),
            1 if here && !self.made => self.is_made(InstanceState::Created),
            2 | 3 if here && self.is(|state| *state == InstanceState::Created) => self.begins(),
            4 => self.session = Session::None,
            5 if self.dice.u32(0..3) == 0 => self.run.stopped_by = Some("root".parse().unwrap()),
            6 if self.dice.u32(0..6) == 0 => self.app = Fate::Goes,
            // Somebody removes it by hand; before it was seen to run that would go unnoticed.
            7 if matches!(self.run.status, RunStatus::Running { .. }) => self.container = None,
            8 => self.dies(),
            _ => {}
        }
    }

    /// The daemon dies: what it only remembered is gone, and so are its sessions.
    fn dies(&mut self) {
        (self.session, self.stopping_since) = (Session::None, None);
    }

    fn is(&self, what: impl Fn(&InstanceState) -> bool) -> bool {
        self.container.as_ref().is_some_and(|one| what(&one.state))
    }

    fn is_made(&mut self, state: InstanceState) {
        self.made = true;
        self.container = Some(Instance {
            id: ContainerId("it".to_owned()),
            app: self.run.app.clone(),
            slot: self.run.number.slot(),
            incarnation: self.run.incarnation(),
            attempt: 0,
            image: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            node: None,
            address: None,
            door: None,
            pid: None,
            state,
        });
    }

    fn begins(&mut self) {
        self.begun += 1;
        self.is_made(InstanceState::Running { since: self.now });
    }

    fn ends(&mut self, code: i64) {
        if let Some(Instance { state: state @ InstanceState::Running { .. }, .. }) =
            &mut self.container
        {
            let (started_at, at) = (Some(self.now), self.now);
            *state = InstanceState::Exited(Exit {
                code,
                out_of_memory: false,
                error: None,
                started_at,
                at,
            });
        }
    }

    /// One pass; `fails` is whether the daemon dies after the step's effect, before it knows of it.
    fn pass(&mut self, fails: bool) -> bool {
        let known = Known {
            run: &self.run,
            container: self.container.as_ref(),
            session: self.session,
            stopping_since: self.stopping_since,
            output: if self.dice.bool() { Output::Kept } else { Output::Missing },
            app: self.app,
            turn: Turn::Now,
            elsewhere: None,
        };
        let (step, again) = plan(&known, self.now);
        let Some(step) = step else {
            self.now = self.now.max(again.unwrap_or(self.now));
            return again.is_some();
        };
        match step {
            // The engine makes it if it is not there, and starts it if it never was.
            Step::Start if fails && self.dice.bool() => self.is_made(InstanceState::Created),
            Step::Start => self.begins(),
            Step::Record(status) => self.run.status = status,
            Step::Signal(_, Signal::Kill) => {
                self.killed += 1;
                self.ends(137);
            }
            Step::Signal(_, Signal::Hangup | Signal::Terminate) => {
                self.stopping_since.get_or_insert(self.now);
                if self.listens {
                    self.ends(143);
                }
            }
            Step::Remove(_) => self.container = None,
        }
        if fails {
            self.dies();
        }
        true
    }
}

#[test]
fn a_run_begins_at_most_once_and_leaves_nothing() {
    for seed in 0..2000 {
        let mut world = World::new(seed);
        for _ in 0..40 {
            world.happens();
            let fails = world.dice.u32(0..5) == 0;
            world.pass(fails);
            assert!(world.begun <= 1, "seed {seed}: it began {} times", world.begun);
        }
        // Nothing goes wrong any more, and nobody wants it.
        world.session = Session::None;
        world.run.stopped_by = Some("root".parse().unwrap());
        let quiet = (0..40).any(|_| !world.pass(false));
        assert!(quiet, "seed {seed}: there is always something to do: {:?}", world.run.status);
        assert!(
            world.run.is_over() && world.container.is_none(),
            "seed {seed}: {:?}",
            world.run.status
        );
        assert!(world.begun <= 1, "seed {seed}");
        assert!(world.listens || world.killed <= 3, "seed {seed}: killed {} times", world.killed);
    }
}
