//! A bar that counts bytes, or a word that changes, on a terminal that somebody watches; elsewhere
//! nothing, for a log of a bar is noise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Ui;

/// Something that moves while work goes on, and is gone afterwards.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Counts bytes up to `total`.
    pub(crate) fn upload(ui: &Ui, total: u64) -> Self {
        let bar = if ui.watched() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let template = "       {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        Self { bar: styled(bar, template) }
    }

    /// Shows `text` while something is waited for.
    pub(crate) fn waiting(ui: &Ui, text: &str) -> Self {
        let bar = if ui.watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let bar = styled(bar, "{msg} {spinner}");
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// So many bytes are done.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Shows another text.
    pub(crate) fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        // A bar in another style is better than none.
        Err(_) => bar,
    }
}
