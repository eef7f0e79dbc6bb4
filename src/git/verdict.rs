//! Which refs a push may change. Pure: the refs as they are, the push as it came, and the app's branch.

use super::{
    commands::Update,
    refs::{MAX_REFS, Refs},
};
use crate::model::{Branch, CommitId, RefName};

/// Whether a ref may be changed, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Yes,
    /// It may not, because of this.
    No(String),
}

/// The branch that is deployed: the one that somebody chose, else `main`, else `master` where that is
/// there, or is pushed, and `main` is not.
pub fn deployed_branch(chosen: Option<&Branch>, refs: &Refs, updates: &[Update]) -> Branch {
    if let Some(chosen) = chosen {
        return chosen.clone();
    }
    let has = |name: &str| {
        refs.all().any(|(known, _)| known.as_str() == name)
            || updates.iter().any(|update| update.name == name && update.new.is_some())
    };
    let name = if has("refs/heads/master") && !has("refs/heads/main") { "master" } else { "main" };
    name.parse().expect("both are branches")
}

/// What is to be said of each update, in their order, before anything is looked at but names and ids.
pub fn judge(
    updates: &[Update],
    refs: &Refs,
    deployed: &Branch,
) -> Vec<(Option<RefName>, Verdict)> {
    let mut made = refs.count();
    updates
        .iter()
        .map(|update| match allowed(update, refs, deployed, &mut made) {
            Ok(name) => (Some(name), Verdict::Yes),
            Err(reason) => (update.name.parse().ok(), Verdict::No(reason)),
        })
        .collect()
}

fn allowed(
    update: &Update,
    refs: &Refs,
    deployed: &Branch,
    made: &mut usize,
) -> Result<RefName, String> {
    let name: RefName = update.name.parse().map_err(|_| {
        "only branches and tags are kept, with names of at most 200 bytes".to_owned()
    })?;
    let there = refs.at(&name);
    if there != update.old.as_ref() {
        return Err(moved(there));
    }
    if update.new.is_none() {
        return match there {
            None => Err("there is nothing to delete".to_owned()),
            Some(_) if name == deployed.to_ref() => Err(
                "it is the branch that is deployed; another becomes that by `paas git branch NAME`"
                    .to_owned(),
            ),
            Some(_) => Ok(name),
        };
    }
    if there.is_none() {
        *made += 1;
        if *made > MAX_REFS {
            return Err(format!("there are {MAX_REFS} branches and tags, which is the limit"));
        }
    }
    Ok(name)
}

fn moved(there: Option<&CommitId>) -> String {
    match there {
        Some(there) => format!("it is at {} by now; fetch first", there.short()),
        None => "it was deleted meanwhile; fetch first".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// `name old new`, a dash for nothing.
    fn update(text: &str) -> Update {
        let mut parts = text.split(' ');
        let name = parts.next().unwrap().to_owned();
        let mut id = || parts.next().filter(|id| *id != "-").map(|id| id.parse().unwrap());
        let (old, new) = (id(), id());
        Update { name, old, new }
    }

    fn check(text: &str, expected: Result<(), &str>) {
        let refs = Refs::of(&[("refs/heads/main", A), ("refs/heads/old", A), ("refs/tags/v1", A)]);
        let main = "main".parse().unwrap();
        let [(_, verdict)] = &judge(&[update(text)], &refs, &main)[..] else { panic!() };
        match (verdict, expected) {
            (Verdict::Yes, Ok(())) => {}
            (Verdict::No(reason), Err(part)) => assert!(reason.contains(part), "{text}: {reason}"),
            (verdict, _) => panic!("{text}: {verdict:?}"),
        }
    }

    #[test]
    fn what_may_be_changed() {
        check(&format!("refs/heads/main {A} {B}"), Ok(()));
        check(&format!("refs/heads/new - {B}"), Ok(()));
        check(&format!("refs/tags/v2 - {B}"), Ok(()));
        check(&format!("refs/tags/v1 {A} {B}"), Ok(()));
        check(&format!("refs/heads/old {A} -"), Ok(()));
        check(&format!("refs/heads/main {A} -"), Err("the branch that is deployed"));
        check(&format!("refs/heads/main {B} {A}"), Err("is at aaaaaaa by now"));
        check(&format!("refs/heads/main - {B}"), Err("fetch first"));
        check(&format!("refs/heads/gone {A} {B}"), Err("deleted meanwhile"));
        check("refs/heads/gone - -", Err("nothing to delete"));
        check(&format!("refs/notes/commits - {B}"), Err("only branches and tags"));
        check(&format!("refs/heads/../../config - {B}"), Err("only branches and tags"));
        check(&format!("HEAD - {B}"), Err("only branches and tags"));
    }

    #[test]
    fn there_is_an_end_to_refs() {
        let updates: Vec<_> =
            (0..=MAX_REFS).map(|n| update(&format!("refs/tags/t{n} - {B}"))).collect();
        let verdicts = judge(&updates, &Refs::default(), &"main".parse().unwrap());
        let refused = verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Yes).count();
        assert_eq!(refused, 1);
    }

    #[test]
    fn which_branch_is_deployed() {
        let branch = |chosen: Option<&str>, refs: &[(&str, &str)], pushed: &[&str]| {
            let chosen = chosen.map(|name| name.parse().unwrap());
            let updates: Vec<_> = pushed.iter().map(|text| update(text)).collect();
            deployed_branch(chosen.as_ref(), &Refs::of(refs), &updates).to_string()
        };
        let master = format!("refs/heads/master - {B}");
        let main = format!("refs/heads/main - {B}");
        assert_eq!(branch(None, &[], &[&main, &master]), "main");
        assert_eq!(branch(None, &[], &[&master]), "master");
        assert_eq!(branch(None, &[("refs/heads/main", A)], &[&master]), "main");
        assert_eq!(branch(None, &[("refs/heads/master", A)], &[]), "master");
        assert_eq!(branch(None, &[("refs/heads/x", A)], &[]), "main");
        assert_eq!(branch(Some("x"), &[("refs/heads/main", A)], &[&main]), "x");
    }
}
