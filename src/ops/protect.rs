//! Protect an app from being destroyed, or no more.
//!
//! It is the server's word and no key of paas.toml: whoever may change the folder could take that away
//! with the same deploy, and a rollback would, unasked.

use crate::{
    model::{Actor, App, AppName, EventKind, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, diary},
};

/// From now on nobody destroys the app.
pub fn protect(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    if app.protected_by.is_none() {
        app.protected_by = Some(by.clone());
        tx.put(&app)?;
        let text = format!("{name} may not be destroyed");
        diary::write(tx, name, EventKind::Protection, text, by, now)?;
    }
    Ok(app)
}

/// Whoever may destroy apps may destroy it again.
pub fn unprotect(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    if app.protected_by.take().is_some() {
        tx.put(&app)?;
        let text = format!("{name} may be destroyed");
        diary::write(tx, name, EventKind::Protection, text, by, now)?;
    }
    Ok(app)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::{
            create::create,
            destroy::{Remains, destroy},
        },
        store::{Store, StoreOptions, records},
    };

    #[tokio::test]
    async fn what_is_protected_is_not_destroyed() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let told = store.transact(|tx| {
            let (name, by) = ("shop".parse::<AppName>()?, "ci".parse::<Actor>()?);
            let now = Timestamp::default();
            create(tx, &name, &by, now)?;
            protect(tx, &name, &by, now)?;
            let refused = destroy(tx, &name, ("shop", Remains::Nothing), &by, now).unwrap_err();
            unprotect(tx, &name, &by, now)?;
            destroy(tx, &name, ("shop", Remains::Nothing), &by, now)?;
            Ok::<_, Refusal>(refused)
        });
        let refused = told.await.unwrap();
        assert_eq!(refused.to_string(), "app shop was not destroyed: ci has protected it");
        assert!(refused.hint.unwrap().contains("paas apps unprotect shop"));
    }
}
