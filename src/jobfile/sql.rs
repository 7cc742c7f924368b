//! What does a table `sql` say?

use super::checker::Checker;
use super::section::{At, Section};
use crate::job::Sql;

const KEYS: [&str; 0] = [];

/// The table `sql`; see [`crate::job::Sql`].
#[derive(Debug, Clone)]
pub struct RawSql {}

impl RawSql {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("sql")?;
        let _table = section.table("sql", &KEYS)?;
        Some(At { value: Self {}, span })
    }
}

impl Checker<'_> {
    pub fn sql(&mut self, _raw: &RawSql) -> Option<Sql> {
        Some(Sql {})
    }
}
