//! The planner of runs, situation by situation. Seconds are the time; `T` is a detached run's container.

use super::*;
use crate::model::{Exit, ReleaseVersion, RunConsole, RunNumber};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn run(console: RunConsole, status: RunStatus) -> Run {
    Run {
        app: "shop".parse().unwrap(),
        number: RunNumber(3),
        release: ReleaseVersion(2),
        process: "web".parse().unwrap(),
        command: vec!["true".to_owned()],
        memory: None,
        console,
        timeout: None,
        by: "root".parse().unwrap(),
        at: at(0),
        stopped_by: None,
        cron: None,
        machine: None,
        status,
    }
}

fn container(state: InstanceState) -> Instance {
    Instance {
        id: ContainerId("T".to_owned()),
        app: "shop".parse().unwrap(),
        slot: RunNumber(3).slot(),
        incarnation: run(RunConsole::Detached, RunStatus::Starting).incarnation(),
        attempt: 0,
        image: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
        node: None,
        address: None,
        door: None,
        pid: None,
        state,
    }
}

fn exited(code: i64) -> InstanceState {
    let exit = Exit { code, out_of_memory: false, error: None, started_at: Some(at(1)), at: at(9) };
    InstanceState::Exited(exit)
}

fn known<'a>(run: &'a Run, container: Option<&'a Instance>) -> Known<'a> {
    Known {
        run,
        container,
        session: Session::None,
        stopping_since: None,
        output: Output::Missing,
        app: Fate::Stays,
        turn: Turn::Now,
        elsewhere: None,
    }
}

#[test]
fn what_another_machine_was_to_begin_is_never_begun_again() {
    let machine: NodeName = "box".parse().unwrap();
    for status in [RunStatus::Starting, is_running()] {
        let run = Run { machine: Some(machine.clone()), ..run(RunConsole::Detached, status) };
        let known = Known { elsewhere: Some(&machine), ..known(&run, None) };
        let (Some(Step::Record(RunStatus::Ended { code: None, reason: Some(reason), .. })), None) =
            plan(&known, at(9))
        else {
            panic!("{:?}", plan(&known, at(9)));
        };
        assert!(reason.starts_with("box does not lead any more"), "{reason}");
    }
}

fn ended(code: Option<u8>, reason: Option<&str>, when: i64) -> Step {
    let reason = reason.map(str::to_owned);
    Step::Record(RunStatus::Ended { at: at(when), code, reason })
}

fn signal(signal: Signal) -> Step {
    Step::Signal(ContainerId("T".to_owned()), signal)
}

const RUNNING: InstanceState = InstanceState::Running { since: Timestamp::from_millis(1000) };

fn is_running() -> RunStatus {
    RunStatus::Running { since: at(1) }
}

#[test]
fn a_detached_run_begins_once_and_is_kept_until_its_output_is() {
    let starting = run(RunConsole::Detached, RunStatus::Starting);
    assert_eq!(plan(&known(&starting, None), at(1)).0, Some(Step::Start));
    let made = container(InstanceState::Created);
    assert_eq!(plan(&known(&starting, Some(&made)), at(1)).0, Some(Step::Start));
    let runs = container(RUNNING);
    assert_eq!(plan(&known(&starting, Some(&runs)), at(2)).0, Some(Step::Record(is_running())));
    let running = run(RunConsole::Detached, is_running());
    assert_eq!(plan(&known(&running, Some(&runs)), at(900)), (None, None));
    let gone = container(exited(7));
    for record in [&starting, &running] {
        assert_eq!(plan(&known(record, Some(&gone)), at(10)).0, Some(ended(Some(7), None, 9)));
    }
    let over = run(
        RunConsole::Detached,
        RunStatus::of_exit(match &gone.state {
            InstanceState::Exited(exit) => exit,
            _ => unreachable!("it has ended"),
        }),
    );
    let remove = Some(Step::Remove(ContainerId("T".to_owned())));
    assert_eq!(plan(&known(&over, Some(&gone)), at(10)), (None, Some(at(19))));
    assert_eq!(plan(&known(&over, Some(&gone)), at(19)).0, remove);
    let kept = Known { output: Output::Kept, ..known(&over, Some(&gone)) };
    assert_eq!(plan(&kept, at(10)).0, remove);
    assert_eq!(plan(&known(&over, None), at(10)), (None, None));
}

#[test]
fn what_began_and_vanished_is_not_begun_again() {
    let running = run(RunConsole::Detached, is_running());
    let lost = Some(ended(None, Some("its container is gone"), 5));
    assert_eq!(plan(&known(&running, None), at(5)).0, lost);
}

#[test]
fn a_run_that_is_stopped_is_asked_and_then_ended() {
    let stopped = Run {
        stopped_by: Some("root".parse().unwrap()),
        ..run(RunConsole::Detached, is_running())
    };
    let runs = container(RUNNING);
    let (step, again) = plan(&known(&stopped, Some(&runs)), at(5));
    assert_eq!((step, again), (Some(signal(Signal::Terminate)), Some(at(15))));
    let told = Known { stopping_since: Some(at(5)), ..known(&stopped, Some(&runs)) };
    assert_eq!(plan(&told, at(14)), (None, Some(at(15))));
    assert_eq!(plan(&told, at(15)).0, Some(signal(Signal::Kill)));
    let never = Run { status: RunStatus::Starting, ..stopped };
    assert_eq!(plan(&known(&never, None), at(5)).0, Some(ended(None, Some("it was stopped"), 5)));
}

#[test]
fn a_run_waits_until_the_one_that_it_replaces_has_ended() {
    let starting = run(RunConsole::Detached, RunStatus::Starting);
    let later = Known { turn: Turn::Later, ..known(&starting, None) };
    assert_eq!(plan(&later, at(1)), (None, None));
    let going = Known { app: Fate::Goes, ..later };
    assert!(matches!(plan(&going, at(1)).0, Some(Step::Record(RunStatus::Ended { .. }))));
}

#[test]
fn time_runs_out() {
    let limited =
        Run { timeout: Some(Duration::from_mins(1)), ..run(RunConsole::Detached, is_running()) };
    let runs = container(RUNNING);
    assert_eq!(plan(&known(&limited, Some(&runs)), at(60)), (None, Some(at(61))));
    assert_eq!(plan(&known(&limited, Some(&runs)), at(61)).0, Some(signal(Signal::Terminate)));
}

#[test]
fn a_run_that_somebody_talks_to_is_its_sessions_until_that_is_gone() {
    for status in [RunStatus::Starting, is_running()] {
        let attached = run(RunConsole::Terminal, status);
        let (made, gone) = (container(InstanceState::Created), container(exited(0)));
        for container in [None, Some(&made), Some(&gone)] {
            let here = Known { session: Session::Here, ..known(&attached, container) };
            assert_eq!(plan(&here, at(5)), (None, None), "{container:?}");
        }
    }
    let attached = run(RunConsole::Terminal, RunStatus::Starting);
    assert_eq!(
        plan(&known(&attached, None), at(5)).0,
        Some(ended(None, Some("its user was gone"), 5))
    );
    let running = run(RunConsole::Terminal, is_running());
    let runs = container(RUNNING);
    assert_eq!(plan(&known(&running, Some(&runs)), at(5)).0, Some(signal(Signal::Hangup)));
    let here = Known { session: Session::Here, ..known(&running, Some(&runs)) };
    assert_eq!(plan(&here, at(5)), (None, None));
}

#[test]
fn a_destroyed_app_takes_its_runs_along() {
    let running = run(RunConsole::Detached, is_running());
    let runs = container(RUNNING);
    let going = |run, container| Known { app: Fate::Goes, ..known(run, container) };
    assert_eq!(plan(&going(&running, Some(&runs)), at(5)).0, Some(signal(Signal::Terminate)));
    let starting = run(RunConsole::Detached, RunStatus::Starting);
    let lost = Some(ended(None, Some("its app is being destroyed"), 5));
    assert_eq!(plan(&going(&starting, None), at(5)).0, lost);
}
