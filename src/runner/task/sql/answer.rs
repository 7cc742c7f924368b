//! What did a statement lead to?

use super::table::{Table, rows};
use crate::job::Class;

/// Rows that came, and the number of those that were changed.
#[derive(Debug, Default)]
pub struct Answer {
    pub table: Table,
    pub affected: u64,
}

impl Answer {
    /// How many rows it returned, if it was a query.
    pub fn returned(&self, class: Class) -> Option<u64> {
        let came = self.table.count;
        match class {
            // SELECT INTO makes a table of its rows, and returns none.
            Class::Query if came == 0 && self.affected > 0 => None,
            Class::Query => Some(came),
            Class::Change | Class::Transaction | Class::Other => (came > 0).then_some(came),
        }
    }

    /// What became of it, in words.
    pub fn in_words(&self, class: Class) -> String {
        match (self.returned(class), class) {
            (Some(returned), _) => format!("{} returned", rows(returned)),
            (None, Class::Change) => format!("{} affected", rows(self.affected)),
            (None, Class::Query | Class::Transaction | Class::Other) if self.affected > 0 => {
                format!("{} affected", rows(self.affected))
            }
            (None, Class::Query | Class::Transaction | Class::Other) => "done".to_owned(),
        }
    }
}
