//! Rails: its assets, the folders that it writes to, and what it wants when it runs.

use std::fs;
use std::os::unix::fs::symlink;

use super::bundle::Bundle;
use super::gems::Gems;
use crate::lifecycle::remove;
use crate::packs::context::CACHE;
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::Scheme;

/// Gems that have assets to be made.
const MAKERS: [&str; 8] = [
    "propshaft",
    "sprockets-rails",
    "vite_rails",
    "shakapacker",
    "webpacker",
    "jsbundling-rails",
    "cssbundling-rails",
    "tailwindcss-rails",
];

/// Of them, those whose work includes the build script of package.json.
const BUNDLERS: [&str; 6] = [
    "vite_rails",
    "vite_ruby",
    "shakapacker",
    "webpacker",
    "jsbundling-rails",
    "cssbundling-rails",
];

/// What earlier builds, or the author, left of assets: they are not made again.
const MADE: [&str; 3] =
    ["public/assets/.manifest.json", "public/assets/manifest.json", "public/packs/manifest.json"];

const KNOWN: [Known; 5] = [
    (
        "Could not find a JavaScript runtime",
        "the assets are made by Node.js, which the app does not ask for",
        "ask for it: npm init -y && git add package.json",
    ),
    (
        "master.key",
        "the app wants its master key, which a build does not have",
        "do without it while building: in config/environments/production.rb, \
         config.require_master_key = false if ENV[\"SECRET_KEY_BASE_DUMMY\"]",
    ),
    (
        "KeyError",
        "the app wants a variable that a build does not have",
        "read it by ENV[\"NAME\"]; or give it a value for builds: NAME = \"…\" below [build.env] in paas.toml",
    ),
    (
        "could not connect to server",
        "the app wants its database while assets are made, which a build does not have",
        "find the line: env -u DATABASE_URL bin/rails assets:precompile",
    ),
    (
        "ConnectionNotEstablished",
        "the app wants its database while assets are made, which a build does not have",
        "find the line: env -u DATABASE_URL bin/rails assets:precompile",
    ),
];

/// Whether making the assets runs the build script of package.json, so that nobody else has to.
pub(super) fn runs_build_script(bundle: &Bundle) -> bool {
    bundle.first(&BUNDLERS).is_some()
}

/// Makes the assets, if the app has any to make.
pub(super) fn make_assets(
    context: &BuildContext,
    bundle: &Bundle,
    gems: &Gems<'_>,
) -> Result<(), PackError> {
    let app = &context.app;
    let Some(maker) = bundle.first(&MAKERS).filter(|_| app.has("Rakefile")) else { return Ok(()) };
    output::heading("Assets");
    if let Some(made) = app.first(&MADE) {
        output::line(&format!("there is {made}, so they were made before"));
        return Ok(());
    }
    output::line(&format!("with {maker}"));
    let kept = context.kept("assets")?;
    context.declare("assets", CACHE, &maker)?;
    let cache = app.path("tmp/cache/assets");
    remove(&cache).map_err(PackError::io(&cache))?;
    make_folder(app, "tmp/cache")?;
    symlink(&kept, &cache).map_err(PackError::io(&cache))?;
    let mut tool = Tool::new("bundle", &["exec", "rake", "assets:precompile"], app.dir());
    if bundle.has("execjs") && !app.has("package.json") {
        let node = context.toolchain("node", "24.x", Scheme::Npm)?;
        output::line(&format!(
            "Node.js {} for this only, because execjs asks for it",
            node.version
        ));
        tool = tool.path(node.path.join("bin"));
    }
    // Rails 7.1 and later know the dummy; before, any secret will do: nothing made here holds it.
    gems.dress(tool)
        .env_default("RAILS_ENV", "production")
        .env_default("RACK_ENV", "production")
        .env_default("NODE_ENV", "production")
        .env_default("SECRET_KEY_BASE_DUMMY", "1")
        .env_default("SECRET_KEY_BASE", "a-build-has-no-secret")
        .env_default("DATABASE_URL", database(bundle))
        .env("SKIP_YARN_INSTALL", "1")
        .env("SKIP_BUN_INSTALL", "1")
        .run(&KNOWN)?;
    remove(&cache).map_err(PackError::io(cache))
}

/// The folders that Rails writes to, and what it wants when it runs.
pub(super) fn prepare(context: &BuildContext) -> Result<(), PackError> {
    for folder in ["tmp/pids", "tmp/cache", "tmp/sockets", "log", "storage"] {
        make_folder(&context.app, folder)?;
    }
    // It goes by the times of files, which are all the same in an image.
    let stale = context.app.path("tmp/cache/bootsnap");
    remove(&stale).map_err(PackError::io(stale))?;
    for (name, value) in [
        ("RAILS_ENV", "production"),
        ("RAILS_LOG_TO_STDOUT", "enabled"),
        ("RAILS_SERVE_STATIC_FILES", "enabled"),
    ] {
        context.launch_default(name, value)?;
    }
    let keyed = context.app.has("config/credentials.yml.enc");
    output::line(if keyed {
        "Rails reads its secrets with the master key: paas config set RAILS_MASTER_KEY=\"$(cat config/master.key)\""
    } else {
        "Rails signs cookies with a secret: paas config set SECRET_KEY_BASE=\"$(openssl rand -hex 64)\""
    });
    Ok(())
}

/// An address of the right kind that nobody is at: some gems read it while they are loaded.
fn database(bundle: &Bundle) -> &'static str {
    match bundle.first(&["pg", "mysql2", "trilogy"]) {
        Some("pg") => "postgresql://nobody@127.0.0.1/none",
        Some("mysql2") => "mysql2://nobody@127.0.0.1/none",
        Some("trilogy") => "trilogy://nobody@127.0.0.1/none",
        Some(_) | None => "sqlite3:/tmp/none.sqlite3",
    }
}

fn make_folder(app: &App, name: &str) -> Result<(), PackError> {
    let path = app.path(name);
    fs::create_dir_all(&path).map_err(PackError::io(path))
}
