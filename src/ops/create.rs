//! Make an app.

use crate::{
    model::{Actor, App, AppName, EventKind, Timestamp},
    ops::Refusal,
    store::{Transaction, View, diary},
};

/// Makes an app that has nothing yet.
pub fn create(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    if let Some(existing) = tx.get::<App>(&name.as_str().to_owned())? {
        let refusal = Refusal::conflict(format!("app {name}"), "the name is taken");
        return Err(if existing.is_kept(now).is_some() {
            refusal.hint(kept_hint(name))
        } else if existing.destroyed_at.is_some() {
            refusal.hint("it is being destroyed; the name is free again in a moment")
        } else {
            refusal
                .hint(format!("choose another name, or deploy to it with `paas deploy -a {name}`"))
        });
    }
    let app = App::new(name.clone(), now);
    tx.put(&app)?;
    diary::write(tx, name, EventKind::Created, format!("{name} was created"), by, now)?;
    Ok(app)
}

/// The app of that name, unless it does not exist or is on its way out.
pub fn existing(view: &impl View, name: &AppName) -> Result<App, Refusal> {
    match view.get::<App>(&name.as_str().to_owned())? {
        Some(app) if app.destroyed_at.is_none() => Ok(app),
        Some(app) if app.kept_until.is_some() => {
            Err(Refusal::conflict(format!("app {name}"), "it was destroyed").hint(kept_hint(name)))
        }
        Some(_) => Err(Refusal::conflict(format!("app {name}"), "it is being destroyed")),
        None => Err(Refusal::no_app(name)),
    }
}

fn kept_hint(name: &AppName) -> String {
    format!(
        "`paas undelete {name}` brings it back; `paas destroy --now --confirm {name}` frees the name"
    )
}
