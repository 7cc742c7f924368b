//! TODO

use std::sync::Arc;

use super::super::native::{Failure, Native};
use crate::job::Mail;

pub async fn carry(mail: Arc<Mail>, native: Native) -> Result<(), Failure> {
    native.console.line(format!("{mail:?}")).await;
    Ok(())
}
