//! Pin a release: it stays, with its image and secrets, however many come after it; or no more.
//!
//! Like a protection it is the server's word and no key of paas.toml: the manifest of a release cannot
//! know which one will be missed.

use crate::{
    model::{
        Actor, App, AppName, EventKind, Pin, Release, ReleaseVersion, Timestamp,
        keeping::{MAX_NOTE, MAX_PINS},
    },
    ops::{Refusal, create::existing},
    store::{Transaction, View, diary},
};

/// Has a release stay. Pinning it again gives it another note, if there is one.
pub fn pin(
    tx: &mut Transaction<'_>,
    name: &AppName,
    (version, note): (ReleaseVersion, Option<&str>),
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    let what = || format!("{version} of {name} was not pinned");
    on_record(tx, name, version, what)?;
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.len() > MAX_NOTE || note.contains(char::is_control)) {
        let why = format!("its note is not one line of at most {MAX_NOTE} bytes");
        return Err(Refusal::invalid(what(), why)
            .hint(format!("paas releases pin {version} --note 'before the migration'")));
    }
    let before = app.pins.get(&version).cloned();
    if before.is_none() && app.pins.len() >= MAX_PINS {
        let oldest = app.pins.keys().next().copied().unwrap_or(version);
        return Err(Refusal::conflict(what(), format!("{MAX_PINS} releases are pinned already"))
            .hint(format!(
                "`paas releases -a {name}` shows them; `paas releases unpin {oldest}`"
            )));
    }
    let mut pin = before.clone().unwrap_or_else(|| Pin { by: by.clone(), at: now, note: None });
    if let Some(note) = note {
        pin.note = Some(note.to_owned());
    }
    if before.as_ref() != Some(&pin) {
        let text = match &pin.note {
            Some(note) => format!("{version} is pinned: {note}"),
            None => format!("{version} is pinned"),
        };
        app.pins.insert(version, pin);
        tx.put(&app)?;
        diary::write(tx, name, EventKind::Release, text, by, now)?;
    }
    Ok(app)
}

/// Lets a release go when its time has come. One that is not pinned is fine.
pub fn unpin(
    tx: &mut Transaction<'_>,
    name: &AppName,
    version: ReleaseVersion,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    on_record(tx, name, version, || format!("{version} of {name} was not unpinned"))?;
    if app.pins.remove(&version).is_some() {
        tx.put(&app)?;
        let text = format!("{version} is not pinned any more");
        diary::write(tx, name, EventKind::Release, text, by, now)?;
    }
    Ok(app)
}

fn on_record(
    tx: &Transaction<'_>,
    name: &AppName,
    version: ReleaseVersion,
    what: impl Fn() -> String,
) -> Result<(), Refusal> {
    let key = (name.as_str().to_owned(), u64::from(version.0));
    if tx.get::<Release>(&key)?.is_some() {
        return Ok(());
    }
    Err(Refusal::not_found(what(), "there is no such release, or not any more")
        .hint(format!("`paas releases -a {name}` lists what there is")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{BuildNumber, Config, Secrets, build::DeploySettings, release::Cause},
        ops::create::create,
        store::{
            Store, StoreOptions, records,
            releasing::{self, Draft},
        },
    };

    #[tokio::test]
    async fn only_what_is_there_can_be_pinned_and_no_more_than_so_many() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let told = store.transact(|tx| {
            let (name, by) = ("shop".parse::<AppName>()?, "ci".parse::<Actor>()?);
            let now = Timestamp::default();
            create(tx, &name, &by, now)?;
            let digest = format!("sha256:{:064x}", 1);
            for _ in 0..=MAX_PINS {
                let draft = Draft {
                    image: digest.parse().expect("an image"),
                    source: digest.parse().expect("a digest"),
                    build: BuildNumber(1),
                    config: Config::new(),
                    secrets: Secrets::new(),
                    processes: [].into(),
                    deploy: DeploySettings::default(),
                    cause: Cause::Deploy { build: BuildNumber(1) },
                };
                let app = existing(tx, &name)?;
                releasing::release(tx, app, draft, &by, now)?;
            }
            let mut wish =
                |version, note| pin(tx, &name, (ReleaseVersion(version), note), &by, now);
            let unknown = wish(99, None).unwrap_err();
            let two_lines = wish(1, Some("one\ntwo")).unwrap_err();
            for version in 1..=20 {
                wish(version, Some(" before it all "))?;
            }
            let too_many = wish(21, None).unwrap_err();
            // It is pinned already, and its note stays where there is no other.
            let app = wish(1, None)?;
            assert_eq!(app.pins[&ReleaseVersion(1)].note.as_deref(), Some("before it all"));
            unpin(tx, &name, ReleaseVersion(1), &by, now)?;
            let app = unpin(tx, &name, ReleaseVersion(1), &by, now)?;
            assert_eq!(app.pins.len(), 19);
            assert_eq!(tx.get::<App>(&"shop".to_owned())?.map(|app| app.pins.len()), Some(19));
            Ok::<_, Refusal>([unknown, two_lines, too_many])
        });
        let refused = told.await.unwrap().map(|refusal| refusal.to_string());
        assert_eq!(
            refused,
            [
                "v99 of shop was not pinned: there is no such release, or not any more",
                "v1 of shop was not pinned: its note is not one line of at most 200 bytes",
                "v21 of shop was not pinned: 20 releases are pinned already",
            ]
        );
    }
}
