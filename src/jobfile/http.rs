//! What does a table `http` say?

use super::checker::Checker;
use super::section::{At, Section};
use crate::job::Http;

const KEYS: [&str; 0] = [];

/// The table `http`; see [`crate::job::Http`].
#[derive(Debug, Clone)]
pub struct RawHttp {}

impl RawHttp {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("http")?;
        let _table = section.table("http", &KEYS)?;
        Some(At { value: Self {}, span })
    }
}

impl Checker<'_> {
    pub fn http(&mut self, _raw: &RawHttp) -> Option<Http> {
        Some(Http {})
    }
}
