//! `paas cp`.

use std::path::{Path, PathBuf};

use api::Change;
use clap::Args;
use tokio::sync::mpsc;

use crate::{
    args::AppOption,
    client::route,
    failure::Failure,
    files,
    session::Session,
    source,
    target::AppName,
    ui::{self, Progress},
};

/// Copy files into a running instance or out of one: `paas cp web.1:/workspace/log .`
///
/// One of the two is in an instance: `web.1:/path`, `worker:/path`, or `:/path` for the first `web`. Into
/// a folder goes what ends with a slash, and whatever is copied to a folder of this machine. What is
/// copied into an instance is gone with it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Copy {
    /// What is copied: a file, or a folder with all that is in it
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    app: AppOption,
}

/// A place in an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remote {
    instance: Option<String>,
    path: String,
}

impl Copy {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let here = |path: &str| session.environment.at(Path::new(path));
        match (remote(&self.from), remote(&self.to)) {
            (Some(from), None) => fetch(session, &app, &from, here(&self.to)).await,
            (None, Some(to)) => bring(session, &app, here(&self.from), &to).await,
            (Some(_), Some(_)) => Err(Failure::usage("both are in an instance")
                .hint("copy it here first: `paas cp web.1:/path .`")),
            (None, None) => Err(Failure::usage("neither is in an instance")
                .hint("write the one that is like `web.1:/path` or `:/path`")),
        }
    }
}

/// Reads `web.1:/path`; a path of this machine with a colon in it is written `./a:b`.
fn remote(text: &str) -> Option<Remote> {
    let (instance, path) = text.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !instance.chars().all(plain) || instance.starts_with('.') {
        return None;
    }
    let instance = (!instance.is_empty()).then(|| instance.to_owned());
    Some(Remote { instance, path: path.to_owned() })
}

fn place(app: &AppName, instance: Option<&String>, path: &str) -> String {
    let parameters = [("instance", instance.cloned()), ("path", Some(path.to_owned()))];
    route::query(route::of(app, "files"), &parameters)
}

async fn fetch(
    session: &Session,
    app: &AppName,
    from: &Remote,
    to: PathBuf,
) -> Result<(), Failure> {
    let ui = &session.ui;
    let path = place(app, from.instance.as_ref(), &from.path);
    let mut body = session.client()?.body(&path).await?;
    let (pieces, queue) = mpsc::channel(QUEUE);
    let shown = to.display().to_string();
    let unpacking =
        tokio::task::spawn_blocking(move || files::receive(files::Inflow::new(queue), &to));
    let progress = Progress::waiting(ui, "Copying");
    let (mut count, mut broken) = (0, None);
    loop {
        match body.next().await {
            Ok(Some(piece)) => {
                count += piece.len() as u64;
                progress.say(&format!("Copying, {}", ui::bytes(count)));
                if pieces.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                let cut = std::io::Error::other("the connection broke");
                pieces.send(Err(cut)).await.ok();
                broken = Some(failure);
                break;
            }
        }
    }
    drop((pieces, progress));
    let unpacked = unpacking.await;
    if let Some(failure) = broken {
        return Err(failure);
    }
    let failed = |fault: String| {
        Failure::local(format!("nothing was written to {shown}"))
            .because(fault)
            .hint("choose another place; a folder that is there takes it in")
    };
    let place = unpacked.map_err(|fault| failed(fault.to_string()))?;
    let place = place.map_err(|fault| failed(fault.to_string()))?;
    ui.talk(&format!("Copied to {}", place.display()));
    Ok(())
}

async fn bring(
    session: &Session,
    app: &AppName,
    from: PathBuf,
    to: &Remote,
) -> Result<(), Failure> {
    let unreadable = |fault: String| {
        Failure::local(format!("{} cannot be copied", from.display())).because(fault)
    };
    from.symlink_metadata().map_err(|fault| unreadable(fault.to_string()))?;
    let own = from.file_name().map(PathBuf::from);
    let (folder, name) = match to.path.rsplit_once('/') {
        Some((folder, "")) => (folder, own),
        Some((folder, name)) => (folder, Some(PathBuf::from(name))),
        None => (to.path.as_str(), own),
    };
    let name = name.ok_or_else(|| unreadable("it has no name".to_owned()))?;
    let path = place(app, to.instance.as_ref(), &format!("{folder}/"));
    let packed = from.clone();
    let (upload, packing) = source::stream(move |out| files::send(&packed, &name, out));
    let progress = Progress::waiting(&session.ui, "Copying");
    let outcome = session.client()?.upload(&path, upload).await;
    drop(progress);
    // A file that cannot be read breaks the upload, and says more than that.
    if let Some(fault) = packing.fault().await {
        return Err(unreadable(fault.to_string()));
    }
    outcome?.read::<Change>()?;
    session.ui.talk(&format!("Copied to {}", to.path));
    Ok(())
}

/// Pieces of an archive that wait to be unpacked.
const QUEUE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_an_instance_has_a_colon() {
        let check = |text: &str, expected: Option<(Option<&str>, &str)>| {
            let expected = expected.map(|(instance, path)| Remote {
                instance: instance.map(str::to_owned),
                path: path.to_owned(),
            });
            assert_eq!(remote(text), expected, "{text}");
        };
        check("web.1:/tmp/a", Some((Some("web.1"), "/tmp/a")));
        check(":/tmp/a:b", Some((None, "/tmp/a:b")));
        check("./a:b", None);
        check("/tmp/a:b", None);
        check("file", None);
    }
}
