//! Give an app a name of the user's own, or one path of it, and take it away.
//!
//! A name and path has one app. What a certificate or a lookup finds out about the name is
//! control's work; here it is only written down that the name is wanted.

use crate::{
    model::{
        Actor, AppName, Domain, DomainName, EventKind, PathPrefix, Timestamp, zone::is_within,
    },
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary},
};

/// A name that an app shall answer under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The name.
    pub name: DomainName,
    /// Which paths of it.
    pub path: PathPrefix,
    /// Whether the app sees paths without the prefix.
    pub strip: bool,
    /// Where browsers are sent instead of being served.
    pub moved_to: Option<DomainName>,
}

/// Gives the name to the app, or changes how the app has it. `platform` is the domain below which
/// every app has a name already.
pub fn add(
    tx: &mut Transaction<'_>,
    app: &AppName,
    wish: Wish,
    platform: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Domain, Refusal> {
    existing(tx, app)?;
    check_platform(&wish.name, app, platform)?;
    let others = tx.scan::<Domain>(wish.name.as_str())?;
    let earlier = others.iter().find(|other| other.path == wish.path).cloned();
    if let Some(other) = earlier.as_ref().filter(|other| other.app != *app) {
        return Err(taken(other));
    }
    check_move(tx, &wish, &others)?;
    let Wish { name, path, strip, moved_to } = wish;
    let (created_at, by_whom) = earlier
        .as_ref()
        .map_or((now, by.clone()), |earlier| (earlier.created_at, earlier.by.clone()));
    let domain = Domain { name, path, strip, app: app.clone(), moved_to, created_at, by: by_whom };
    if earlier.as_ref() == Some(&domain) {
        return Ok(domain);
    }
    if earlier.is_none() {
        check_count(tx, app)?;
    }
    tx.put(&domain)?;
    let text = match (&earlier, &domain.moved_to) {
        (_, Some(target)) => format!("{} sends its visitors to {target}", shown(&domain)),
        (None, None) => format!("{} was added", shown(&domain)),
        (Some(_), None) => format!("{} was changed", shown(&domain)),
    };
    diary::write(tx, app, EventKind::Domain, text, by, now)?;
    Ok(domain)
}

/// Takes a name away from whoever has it; all of its paths, if none is named and one app has them.
pub fn remove(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    path: Option<&PathPrefix>,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<Domain>, Refusal> {
    let mut found = tx.scan::<Domain>(name.as_str())?;
    found.retain(|domain| path.is_none_or(|path| domain.path == *path));
    let Some(first) = found.first() else {
        let what = path.map_or_else(|| name.to_string(), |path| format!("{name}{path}"));
        return Err(Refusal::not_found(format!("domain {what}"), "no app has it")
            .hint("`paas domains` lists what there is"));
    };
    if found.iter().any(|domain| domain.app != first.app) {
        let whose: Vec<String> =
            found.iter().map(|domain| format!("{} of {}", domain.path, domain.app)).collect();
        return Err(Refusal::conflict(
            format!("domain {name}"),
            format!("several apps share it: {}", whose.join(", ")),
        )
        .hint(format!("name the path: `paas domains remove {name} --path {}`", first.path)));
    }
    for domain in &found {
        tx.delete::<Domain>(&(name.as_str().to_owned(), domain.path.as_str().to_owned()))?;
        let text = format!("{} was removed", shown(domain));
        diary::write(tx, &domain.app, EventKind::Domain, text, by, now)?;
    }
    Ok(found)
}

/// Takes all names of an app away.
pub(super) fn remove_all(tx: &mut Transaction<'_>, app: &AppName) -> Result<(), StoreError> {
    for domain in tx.scan::<Domain>(&())? {
        if domain.app == *app {
            tx.delete::<Domain>(&(
                domain.name.as_str().to_owned(),
                domain.path.as_str().to_owned(),
            ))?;
        }
    }
    Ok(())
}

/// The names below the platform's domain are the apps' by themselves: `<app>.<domain>`.
fn check_platform(name: &DomainName, app: &AppName, platform: &str) -> Result<(), Refusal> {
    if !is_within(name.base(), platform) {
        return Ok(());
    }
    let own = format!("{app}.{platform}");
    let refusal = |why: &str| Refusal::conflict(format!("domain {name}"), why);
    if name.as_str() == own {
        return Err(refusal("the app answers there already, without being told to")
            .hint(format!("`paas open -a {app}` shows it")));
    }
    Err(refusal(
        "the platform's own domain and the names below it are given to apps by their names",
    )
    .hint(format!("{app} answers at {own}; `paas apps create NAME` makes an app of another name")))
}

fn taken(other: &Domain) -> Refusal {
    let (name, app) = (shown(other), &other.app);
    Refusal::conflict(format!("domain {name}"), format!("the app {app} has it")).hint(format!(
        "take it away from {app} first: `paas domains remove {} --path {}`",
        other.name, other.path
    ))
}

/// A name that only points elsewhere has no paths of its own, and pointing must come to an end.
fn check_move(view: &impl View, wish: &Wish, others: &[Domain]) -> Result<(), Refusal> {
    let refusal = |why: String| Refusal::invalid(format!("domain {}", wish.name), why);
    let Some(target) = &wish.moved_to else {
        let moved = others.iter().find(|other| other.moved_to.is_some() && other.path != wish.path);
        return match moved.and_then(|other| other.moved_to.as_ref()) {
            None => Ok(()),
            Some(target) => Err(refusal(format!("all of it only sends its visitors to {target}"))
                .hint(format!("serve it first: `paas domains add {}`", wish.name))),
        };
    };
    if !wish.path.is_root() || wish.strip {
        return Err(refusal("a name moves as a whole, not one path of it".to_owned()));
    }
    if target.is_wildcard() {
        return Err(refusal("it can only move to one name, not to a wildcard".to_owned()));
    }
    if let Some(other) = others.iter().find(|other| other.path != wish.path) {
        return Err(refusal(format!("{} answers at {}", other.app, shown(other)))
            .hint(format!("`paas domains remove {} --path {}`", other.name, other.path)));
    }
    let mut seen = vec![wish.name.clone()];
    let mut next = Some(target.clone());
    while let Some(name) = next {
        if seen.contains(&name) {
            return Err(refusal(format!("moving to {target} would lead back to it")));
        }
        let on_record = view.scan::<Domain>(name.as_str())?;
        seen.push(name);
        next = on_record.into_iter().find_map(|domain| domain.moved_to);
    }
    Ok(())
}

fn check_count(view: &impl View, app: &AppName) -> Result<(), Refusal> {
    let count = view.scan::<Domain>(&())?.iter().filter(|domain| domain.app == *app).count();
    if count < MOST {
        return Ok(());
    }
    Err(Refusal::conflict(
        format!("domains of {app}"),
        format!("it has {MOST}, which is the limit"),
    )
    .hint("one wildcard such as `*.example.com` is for all names below a domain"))
}

/// The name, with the path where it is not all of it.
fn shown(domain: &Domain) -> String {
    if domain.path.is_root() {
        domain.name.to_string()
    } else {
        format!("{}{}", domain.name, domain.path)
    }
}

/// Names and paths of one app.
const MOST: usize = 1000;

#[cfg(test)]
mod tests;
