//! What a command works with: the screen, the environment, and, once it asks, the server.
//!
//! The server is looked up when it is first needed, so that `paas completion` works without one.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use api::FaultCode;

use crate::{
    args::{AppOption, Shared},
    client::{Client, route},
    environment::Environment,
    failure::Failure,
    target::{self, AppName, Chosen, Contexts},
    ui::Ui,
};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    /// The screen.
    pub(crate) ui: Rc<Ui>,
    /// Folder and variables.
    pub(crate) environment: Environment,
    /// The options that every command takes.
    pub(crate) shared: Shared,
    client: OnceCell<Client>,
    app: RefCell<Option<AppName>>,
}

impl Session {
    /// A session that has not looked for a server yet.
    pub(crate) fn new(shared: Shared, environment: Environment, ui: Ui) -> Self {
        let ui = Rc::new(ui);
        Self { ui, environment, shared, client: OnceCell::new(), app: RefCell::new(None) }
    }

    /// The server that the options, the environment or the contexts tell.
    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let server = target::server(self.shared.context.as_deref(), &self.environment)?;
        let ui = Rc::clone(&self.ui);
        let client = Client::telling(server, move |note| ui.talk(note));
        Ok(self.client.get_or_init(|| client))
    }

    /// Remembers where else the server of the context in use can be asked, as it says itself. The command goes on
    /// without that.
    pub(crate) fn learn(&self, controls: &[String]) {
        if let Err(failure) = self.remember_others(controls) {
            self.ui.warn(&format!("where else to ask is not remembered: {failure}"));
        }
    }

    fn remember_others(&self, controls: &[String]) -> Result<(), Failure> {
        let mut contexts = Contexts::load(&self.environment)?;
        let option = self.shared.context.as_deref();
        let used = target::context(option, &self.environment, &contexts).map(str::to_owned);
        let context = used.and_then(|name| contexts.known.get_mut(&name));
        if context.is_some_and(|context| context.learn(controls)) {
            contexts.save(&self.environment)?;
        }
        Ok(())
    }

    /// The app that the option, the environment or the folder tells.
    pub(crate) fn app(&self, option: &AppOption) -> Result<AppName, Failure> {
        let chosen = target::app(option, &self.environment, &self.environment.folder)?;
        let Chosen { name, .. } = chosen.ok_or_else(target::no_app)?;
        self.remember(&name);
        Ok(name)
    }

    /// Notes which app this is about, for a did-you-mean.
    pub(crate) fn remember(&self, app: &AppName) {
        *self.app.borrow_mut() = Some(app.clone());
    }

    /// If there is no app of that name, says which one was probably meant.
    pub(crate) async fn suggest(&self, failure: Failure) -> Failure {
        let missing = matches!(&failure, Failure::Refused(f) if f.code == FaultCode::NotFound);
        let (true, Some(app)) = (missing, self.app.borrow().clone()) else { return failure };
        let Some(client) = self.client.get() else { return failure };
        // The refusal is what matters; without the list there is just no suggestion.
        let Ok(answer) = client.get(route::APPS).await else { return failure };
        let Ok(apps) = answer.read::<Vec<api::App>>() else { return failure };
        let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
        if names.contains(&app.as_str()) {
            return failure;
        }
        match closest(app.as_str(), &names) {
            Some(name) => replace_hint(failure, format!("did you mean `-a {name}`?")),
            None => failure.hint("`paas apps` lists the apps there are"),
        }
    }
}

fn replace_hint(failure: Failure, advice: String) -> Failure {
    match failure {
        Failure::Refused(mut fault) => {
            fault.hint = Some(advice);
            Failure::Refused(fault)
        }
        other => other.hint(advice),
    }
}

/// The name that differs least, if it differs little enough to be a slip of the finger.
fn closest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), *name))
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_name_is_not() {
        assert_eq!(closest("helo", &["hello", "shop"]), Some("hello"));
        assert_eq!(closest("hlelo", &["hello", "shop"]), Some("hello"));
        assert_eq!(closest("blog", &["hello", "shop"]), None);
    }
}
