//! In whose words, by whose clocks and by what means does a message leave? As the file in force says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::configuration::Configuration;
use crate::notify::{Means, Outgoing, Templates, write};
use crate::report::MessageReport;

pub fn outgoing(configuration: &Configuration, report: MessageReport, thread: Option<String>) -> Outgoing {
    let written = write(&report, &templates(configuration), &configuration.zone());
    Outgoing { report, written, thread }
}

pub fn means(configuration: &Configuration, environment: &Arc<BTreeMap<String, String>>, folder: &Path) -> Means {
    let (environment, smtp) = (environment.clone(), configuration.checked.smtp.clone());
    Means { environment, smtp, folder: folder.to_owned() }
}

/// They are read for each message, so that a new one takes effect by itself. A wrong one keeps nothing from being told.
fn templates(configuration: &Configuration) -> Templates {
    let Some(folder) = configuration.templates() else {
        return Templates::builtin();
    };
    Templates::read(&folder).unwrap_or_else(|error| {
        tracing::error!("a notice goes out in the usual words: {error}");
        Templates::builtin()
    })
}
