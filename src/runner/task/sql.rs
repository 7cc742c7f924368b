//! TODO

use std::sync::Arc;

use super::super::native::{Failure, Native};
use crate::job::Sql;

pub async fn carry(sql: Arc<Sql>, native: Native) -> Result<(), Failure> {
    native.console.line(format!("{sql:?}")).await;
    Ok(())
}
