//! What frameworks want beside their packages: folders, links, variables, secrets.

use std::fs;
use std::os::unix::fs::symlink;

use crate::packs::{App, BuildContext, PackError, output};

/// Folders that Laravel writes to, which repositories leave out.
const LARAVEL: [&str; 7] = [
    "bootstrap/cache",
    "storage/app/public",
    "storage/framework/cache/data",
    "storage/framework/sessions",
    "storage/framework/views",
    "storage/framework/testing",
    "storage/logs",
];

/// The variables that a framework's own programs get while the app is built.
pub(super) fn variables(framework: Option<&str>) -> &'static [(&'static str, &'static str)] {
    match framework {
        Some("Symfony") => &[("APP_ENV", "prod"), ("APP_DEBUG", "0")],
        Some("Laravel") => &[("APP_ENV", "production"), ("LOG_CHANNEL", "stderr")],
        Some(_) | None => &[],
    }
}

/// Folders and links, before Composer runs the framework's programs.
pub(super) fn folders(app: &App, framework: Option<&str>) -> Result<(), PackError> {
    let folders: &[&str] = match framework {
        Some("Laravel") => &LARAVEL,
        Some("Symfony") => &["var/cache", "var/log"],
        Some("CakePHP") => &["tmp/cache/models", "tmp/cache/persistent", "tmp/sessions", "logs"],
        Some("CodeIgniter") => &["writable/cache", "writable/logs", "writable/session"],
        Some(_) | None => &[],
    };
    for folder in folders {
        let path = app.path(folder);
        fs::create_dir_all(&path).map_err(PackError::io(path))?;
    }
    let link = app.path("public/storage");
    if framework == Some("Laravel") && !link.exists() && !link.is_symlink() {
        symlink("../storage/app/public", &link).map_err(PackError::io(link))?;
    }
    Ok(())
}

/// What the running app is told, and what only its author can tell it.
pub(super) fn launch(context: &BuildContext, framework: Option<&str>) -> Result<(), PackError> {
    for (name, value) in variables(framework) {
        context.launch_default(name, value)?;
    }
    match framework {
        Some("Laravel") => output::line(
            "Laravel encrypts with a key: paas config set APP_KEY=\"base64:$(openssl rand -base64 32)\"",
        ),
        Some("Symfony") => output::line(
            "Symfony signs with a secret: paas config set APP_SECRET=\"$(openssl rand -hex 32)\"",
        ),
        Some(_) | None => {}
    }
    Ok(())
}
