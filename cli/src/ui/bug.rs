//! What is said when we panic: that it is our bug and what to send us. A backtrace helps nobody
//! who only wanted to deploy, and stays available by `RUST_BACKTRACE=1`.

use std::io::Write;

use crate::environment::Environment;

/// From here on a panic is announced as our bug.
pub(crate) fn announce_panics(environment: &Environment) {
    if environment.backtrace {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        let what = panic.payload_as_str().unwrap_or("an invariant does not hold");
        let text = format!(
            "error: this is a bug in paas {}: {what}{place}\nhint: please report it with the \
             command you ran and the output of `RUST_BACKTRACE=1`\n",
            env!("CARGO_PKG_VERSION"),
        );
        // There is nowhere left to complain to.
        std::io::stderr().write_all(text.as_bytes()).ok();
    }));
}
