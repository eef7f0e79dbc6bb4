//! Run a program inside an instance: which instance is meant, and what is told of it.

use crate::{
    model::{Actor, AppName, Event, EventKind, InstanceState, Observed, Slot, Timestamp, console},
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary},
};

/// The instance that `wanted` means: one such as `web.1`, the first of a process, or else the first
/// `web`, or else the first of any. Only one that runs will do.
pub fn choose<'a>(
    app: &AppName,
    seen: &'a [Observed],
    wanted: Option<&str>,
) -> Result<&'a Observed, Refusal> {
    let running = || {
        seen.iter().filter(|observed| {
            matches!(observed.instance.state, InstanceState::Running { .. })
                && observed.stopping_since.is_none()
        })
    };
    // While a release takes over, a slot has two: the one that stands by or goes is not meant, and
    // else the newer one is.
    let newest = |slot: &Slot| {
        let here = running().filter(|observed| observed.instance.slot == *slot);
        here.max_by_key(|observed| {
            let stays = observed.unchosen_since.is_none();
            (stays, observed.instance.incarnation, observed.instance.attempt)
        })
    };
    let first = |is: &dyn Fn(&Slot) -> bool| {
        running().map(|observed| &observed.instance.slot).filter(|slot| is(slot)).min()
    };
    let slot = match wanted {
        Some(name) => first(&|slot| slot.to_string() == name)
            .or_else(|| first(&|slot| slot.process.as_str() == name)),
        None => first(&|slot| slot.process.is_web()).or_else(|| first(&|_| true)),
    };
    slot.and_then(newest).ok_or_else(|| {
        let why = match wanted {
            Some(name) => format!("no instance of {app} called {name} runs"),
            None => format!("nothing of {app} runs"),
        };
        let hint = match first(&|_| true) {
            Some(slot) => format!("`paas ps -a {app}` shows what runs, for example {slot}"),
            None => format!("`paas scale web=1 -a {app}` starts one"),
        };
        Refusal::not_found("the program was not started", why).hint(hint)
    })
}

/// Records that a program begins.
pub fn begin(
    tx: &mut Transaction<'_>,
    app: &AppName,
    (slot, command): (&Slot, &[String]),
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    existing(tx, app)?;
    check(command)?;
    let text = format!("exec in {slot}: {}", console::shown(command));
    Ok(diary::write(tx, app, EventKind::Session, text, by, now)?)
}

/// Records how it ended.
pub fn end(
    tx: &mut Transaction<'_>,
    app: &AppName,
    (slot, command, how): (&Slot, &[String], &str),
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    // An app that was destroyed meanwhile has no diary any more.
    if existing(tx, app).is_err() {
        return Ok(());
    }
    let text = format!("exec in {slot} {how}: {}", console::shown(command));
    diary::write(tx, app, EventKind::Session, text, by, now)
}

/// Records that somebody connects to a port; once, as long as nothing else happens.
pub fn tunnel(
    tx: &mut Transaction<'_>,
    app: &AppName,
    (slot, port): (&Slot, u16),
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    existing(tx, app)?;
    let text = format!("tunnel to port {port} of {slot}");
    let last = tx.latest::<Event>(app.as_str(), 1)?;
    if last.first().is_some_and(|event| event.text == text && event.by == *by) {
        return Ok(());
    }
    Ok(diary::write(tx, app, EventKind::Session, text, by, now)?)
}

/// Records that files were copied.
pub fn copied(
    tx: &mut Transaction<'_>,
    app: &AppName,
    text: String,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    existing(tx, app)?;
    Ok(diary::write(tx, app, EventKind::Session, text, by, now)?)
}

/// Refuses what no program can be started with.
pub fn check(command: &[String]) -> Result<(), Refusal> {
    let refuse = |why: &str| {
        Err(Refusal::invalid("the program was not started", why)
            .hint("write it behind two dashes: `paas exec -- ls -l`"))
    };
    match command.first() {
        None => refuse("the command is missing"),
        Some(program) if program.is_empty() => refuse("the command is empty"),
        _ if command.iter().any(|word| word.contains('\0')) => {
            refuse("the command has a NUL in it")
        }
        _ if command.iter().map(String::len).sum::<usize>() > LONGEST => {
            refuse("the command is longer than 32 KiB")
        }
        Some(_) => Ok(()),
    }
}

/// The longest command, in bytes: it goes into a record, and records are small.
const LONGEST: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerId, Health, Incarnation, Instance, ReleaseVersion};

    fn observed(slot: &str, release: u32, state: InstanceState) -> Observed {
        let (process, index) = slot.split_once('.').unwrap();
        Observed {
            instance: Instance {
                id: ContainerId(format!("{slot}-{release}")),
                app: "shop".parse().unwrap(),
                slot: Slot { process: process.parse().unwrap(), index: index.parse().unwrap() },
                incarnation: Incarnation { release: ReleaseVersion(release), restart: 0 },
                attempt: 0,
                image: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
                node: None,
                address: None,
                door: None,
                pid: None,
                state,
            },
            health: Health::UNKNOWN,
            in_flight: 0,
            unrouted_since: None,
            unchosen_since: None,
            stopping_since: None,
            output_kept: false,
            tried: None,
            usage: None,
        }
    }

    fn running(slot: &str, release: u32) -> Observed {
        observed(slot, release, InstanceState::Running { since: Timestamp::from_millis(0) })
    }

    #[track_caller]
    fn check_choice(seen: &[Observed], wanted: Option<&str>, expected: Result<&str, &str>) {
        let app = "shop".parse().unwrap();
        match (choose(&app, seen, wanted), expected) {
            (Ok(found), Ok(id)) => assert_eq!(found.instance.id.0, id),
            (Err(refusal), Err(why)) => assert_eq!(refusal.why, why),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn the_instance_that_is_meant_is_found() {
        let made = observed("web.1", 4, InstanceState::Created);
        let seen = [running("clock.1", 3), running("web.2", 2), running("web.2", 3), made];
        check_choice(&seen, None, Ok("web.2-3"));
        check_choice(&seen, Some("web"), Ok("web.2-3"));
        check_choice(&seen, Some("clock.1"), Ok("clock.1-3"));
        check_choice(&seen[..1], None, Ok("clock.1-3"));
        check_choice(&seen, Some("web.1"), Err("no instance of shop called web.1 runs"));
        check_choice(&[], None, Err("nothing of shop runs"));
        let leaving =
            Observed { stopping_since: Some(Timestamp::from_millis(1)), ..running("web.1", 3) };
        check_choice(&[leaving], None, Err("nothing of shop runs"));
    }

    #[test]
    fn the_first_is_meant_wherever_it_is() {
        let mut far = running("web.1", 3);
        far.instance.node = Some("edge-1".parse().unwrap());
        let seen = [running("web.2", 3), far];
        for wanted in [None, Some("web"), Some("web.1")] {
            check_choice(&seen, wanted, Ok("web.1-3"));
        }
    }

    #[test]
    fn a_command_that_cannot_be_is_refused() {
        assert!(check(&["ls".to_owned(), String::new()]).is_ok());
        for wrong in [vec![], vec![String::new()], vec!["a\0".to_owned()], vec!["a".repeat(40_000)]]
        {
            assert!(check(&wrong).is_err());
        }
    }
}
