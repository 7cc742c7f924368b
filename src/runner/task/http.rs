//! TODO

use std::sync::Arc;

use super::super::native::{Failure, Native};
use crate::job::Http;

pub async fn carry(http: Arc<Http>, native: Native) -> Result<(), Failure> {
    native.console.line(format!("{http:?}")).await;
    Ok(())
}
