//! What does the ledger know, for work that tells people about it?

use crate::report::Entry;
use crate::run::RunId;
use crate::runner::{Facts, Told};
use crate::store::{OutputLine, OutputPart, Reader};

/// The ledger as the runner asks it.
#[derive(Debug)]
pub struct Ledger(pub Reader);

impl Facts for Ledger {
    fn last_runs<'f>(&'f self, job: &'f str, most: u32) -> Told<'f, Vec<Entry>> {
        Box::pin(async move { self.0.last_runs(job, most).await.map_err(|error| unreadable(&error)) })
    }

    fn causes(&self, run: RunId) -> Told<'_, Vec<Entry>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            for cause in self.0.causes(run).await.map_err(|error| unreadable(&error))? {
                entries.extend(self.0.entry(cause).await.map_err(|error| unreadable(&error))?);
            }
            Ok(entries)
        })
    }

    fn output<'f>(&'f self, entry: &'f Entry) -> Told<'f, Vec<u8>> {
        Box::pin(async move {
            let total = u64::try_from(entry.output_bytes).unwrap_or(0);
            let last = self.0.last_attempt(entry.run).await.map_err(|error| unreadable(&error))?;
            let parts = self.0.output(entry.run, last, total).await.map_err(|error| unreadable(&error))?;
            Ok(parts.into_iter().fold(Vec::new(), joined_parts))
        })
    }
}

/// Each step's output under its name.
fn joined_parts(mut text: Vec<u8>, part: OutputPart) -> Vec<u8> {
    let Some(step) = part.step else {
        return part.lines.into_iter().fold(text, joined);
    };
    text.extend(format!("── {} ──\n", step.name).into_bytes());
    let mut text = part.lines.into_iter().fold(text, joined);
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    text
}

fn joined(mut text: Vec<u8>, line: OutputLine) -> Vec<u8> {
    match line {
        OutputLine::Piece { data, .. } => text.extend(data),
        OutputLine::Cut { bytes } => {
            if text.last().is_some_and(|byte| *byte != b'\n') {
                text.push(b'\n');
            }
            text.extend(format!("[{bytes} bytes were not kept]\n").into_bytes());
        }
    }
    text
}

fn unreadable(error: &sqlx::Error) -> String {
    format!("the ledger cannot be read: {error}")
}
