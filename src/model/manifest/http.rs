//! `[http]`: what the app asks of the edge.

use std::{collections::BTreeMap, time::Duration};

use super::{ByteSize, HttpSettings, ManifestError, read::duration, section::Section};
use crate::model::{AssetPrefix, Cidr, HttpProtocol, PasswordGate, RateLimit};

/// What `[http]` says, and the files that its pages are in, by status.
pub(super) type Http = (HttpSettings, BTreeMap<u16, String>);

pub(super) fn http(mut section: Section<'_>) -> Result<Http, ManifestError> {
    let settings = HttpSettings {
        protocol: protocol(&mut section)?,
        redirect: section.flag("redirect")?,
        hsts: hsts(&mut section)?,
        compress: section.flag("compress")?.unwrap_or_default(),
        max_body: section.parsed::<ByteSize>("max_body")?,
        max_in_flight: section.number("max_in_flight", 1, MOST_IN_FLIGHT)?,
        sticky: section.flag("sticky")?.unwrap_or_default(),
        allow: section.list::<Cidr>("allow")?,
        deny: section.list::<Cidr>("deny")?,
        rate: rate(&mut section)?,
        password: password(&mut section)?,
        pages: BTreeMap::new(),
        slow_start: section.duration("slow_start")?,
        assets: assets(&mut section)?,
        assets_for: assets_for(&mut section)?,
    };
    let pages = match section.section("pages")? {
        Some(pages) => page_files(&pages)?,
        None => BTreeMap::new(),
    };
    section.finish()?;
    Ok((settings, pages))
}

fn protocol(section: &mut Section<'_>) -> Result<HttpProtocol, ManifestError> {
    match section.text("protocol")?.as_deref() {
        None | Some("http1") => Ok(HttpProtocol::Http1),
        Some("h2c") => Ok(HttpProtocol::H2c),
        Some(other) => Err(section
            .wrong_at("protocol", &format!("`{other}` is not a protocol"))
            .hint("protocol = \"http1\", or \"h2c\" for gRPC".to_owned())),
    }
}

/// In days as well, because that is what it is counted in; `0s` withdraws what browsers remember.
fn hsts(section: &mut Section<'_>) -> Result<Option<Duration>, ManifestError> {
    let Some(text) = section.text("hsts")? else { return Ok(None) };
    let read = if text == "0s" { Some(Duration::ZERO) } else { days(&text) };
    let read = read.filter(|age| *age <= LONGEST_HSTS);
    read.map(Some).ok_or_else(|| {
        section
            .wrong_at("hsts", &format!("`{text}` is not a duration of up to two years"))
            .hint("hsts = \"365d\", once HTTPS works; \"0s\" takes it back".to_owned())
    })
}

/// A duration that may be in days as well.
fn days(text: &str) -> Option<Duration> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    days.map_or_else(|| duration(text), |days| Some(Duration::from_hours(24 * u64::from(days))))
}

fn assets(section: &mut Section<'_>) -> Result<Vec<AssetPrefix>, ManifestError> {
    let assets = section.list("assets")?;
    if assets.len() > MOST_ASSETS {
        let fault = format!("`assets` has more than {MOST_ASSETS} entries");
        return Err(section
            .wrong_at("assets", &fault)
            .hint("assets = [\"/assets/\"] is whatever is below that path".to_owned()));
    }
    Ok(assets)
}

fn assets_for(section: &mut Section<'_>) -> Result<Option<Duration>, ManifestError> {
    let Some(text) = section.text("assets_for")? else { return Ok(None) };
    if section.list::<AssetPrefix>("assets")?.is_empty() {
        return Err(section
            .wrong_at("assets_for", "`assets_for` stands without `assets`")
            .hint("assets = [\"/assets/\"] says which files are meant".to_owned()));
    }
    let read = days(&text).filter(|time| !time.is_zero() && *time <= LONGEST_ASSETS);
    read.map(Some).ok_or_else(|| {
        section
            .wrong_at("assets_for", &format!("`{text}` is not a duration of up to a week"))
            .hint("assets_for = \"1h\"; it costs the memory of an instance for so long".to_owned())
    })
}

/// `rate = "100/1m"`, and `burst = 200` beside it.
fn rate(section: &mut Section<'_>) -> Result<Option<RateLimit>, ManifestError> {
    let text = section.text("rate")?;
    let burst = section.number("burst", 1, MOST_REQUESTS)?;
    let Some(text) = text else {
        return match burst {
            None => Ok(None),
            Some(_) => Err(section.wrong_at("burst", "`burst` stands without a `rate`")),
        };
    };
    let read = text.split_once('/').and_then(|(count, per)| {
        let requests = count.parse().ok().filter(|count| (1..=MOST_REQUESTS).contains(count))?;
        Some((requests, duration(per)?))
    });
    match read {
        Some((requests, per)) => {
            Ok(Some(RateLimit { requests, per, burst: burst.unwrap_or(requests) }))
        }
        None => Err(section
            .wrong_at("rate", &format!("`{text}` is not a number of requests per time"))
            .hint("rate = \"100/1m\" is a hundred requests a minute from one client".to_owned())),
    }
}

fn password(section: &mut Section<'_>) -> Result<Option<PasswordGate>, ManifestError> {
    let Some(mut gate) = section.section("password")? else { return Ok(None) };
    let hint = || "password = { user = \"me\", password_from = \"SITE_PASSWORD\" }".to_owned();
    let user = gate.text("user")?;
    let from = gate.parsed("password_from")?;
    let read = match (user, from) {
        (Some(user), Some(password_from)) if !user.contains(':') && user.len() <= 100 => {
            PasswordGate { user, password_from }
        }
        (Some(_), Some(_)) => {
            let fault = "`user` has a colon or more than 100 characters";
            return Err(gate.wrong_at("user", fault).hint(hint()));
        }
        _ => {
            let fault = "`password` needs a `user` and the variable that holds the password";
            return Err(gate.fault(fault.to_owned()).hint(hint()));
        }
    };
    gate.finish()?;
    Ok(Some(read))
}

fn page_files(section: &Section<'_>) -> Result<BTreeMap<u16, String>, ManifestError> {
    let mut pages = BTreeMap::new();
    for (key, value) in section.entries() {
        let hint = || "503 = \"pages/503.html\"".to_owned();
        let status = key.parse::<u16>().ok().filter(|status| (400..=599).contains(status));
        let Some(status) = status else {
            let fault = format!("`{}` is not a status from 400 to 599", key.escape_debug());
            return Err(value.key().fault(fault).hint(hint()));
        };
        let Some(path) = value.get().as_str().filter(|path| is_inside(path)) else {
            let fault = format!("the page of {status} is not a file of the app's folder");
            return Err(value.key().fault(fault).hint(hint()));
        };
        pages.insert(status, path.to_owned());
    }
    if pages.len() > MOST_PAGES {
        return Err(section.fault(format!("there are more than {MOST_PAGES} pages")));
    }
    Ok(pages)
}

fn is_inside(path: &str) -> bool {
    path.len() <= 200
        && !path.contains('\0')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Two years: what browsers keep at most, as far as lists of such sites go.
const LONGEST_HSTS: Duration = Duration::from_hours(730 * 24);
/// A tab that is older will have been reloaded.
const LONGEST_ASSETS: Duration = Duration::from_hours(7 * 24);
/// A build tool has one folder for them, or two.
const MOST_ASSETS: usize = 16;
/// More than one machine serves at a time.
const MOST_IN_FLIGHT: u32 = 100_000;
/// Of one client in one period.
const MOST_REQUESTS: u32 = 1_000_000;
/// There are hardly more ways to fail.
const MOST_PAGES: usize = 8;
