//! What does a table `mail` say?

use super::checker::Checker;
use super::section::{At, Section};
use crate::job::Mail;

const KEYS: [&str; 0] = [];

/// The table `mail`; see [`crate::job::Mail`].
#[derive(Debug, Clone)]
pub struct RawMail {}

impl RawMail {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("mail")?;
        let _table = section.table("mail", &KEYS)?;
        Some(At { value: Self {}, span })
    }
}

impl Checker<'_> {
    pub fn mail(&mut self, _raw: &RawMail) -> Option<Mail> {
        Some(Mail {})
    }
}
