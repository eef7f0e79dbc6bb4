//! Say which branch of an app is deployed when it is pushed. What serves is not touched.

use crate::{
    model::{Actor, App, AppName, Branch, EventKind, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, diary},
};

/// Chooses the branch.
pub fn choose(
    tx: &mut Transaction<'_>,
    name: &AppName,
    branch: &Branch,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    if app.branch.as_ref() == Some(branch) {
        return Ok(app);
    }
    app.branch = Some(branch.clone());
    tx.put(&app)?;
    let text = format!("pushes to {branch} are deployed from now on");
    diary::write(tx, name, EventKind::Git, text, by, now)?;
    Ok(app)
}
