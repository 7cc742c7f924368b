//! How is one piece of work carried out? Each kind in its own way, all with the same bounds on what they write.

use std::sync::Arc;

use tokio::sync::watch;

use super::attempt::Attempt;
use super::door::Stop;
use super::native::carry_native;
use super::part::Part;
use super::task;
use super::tools::Tools;
use crate::job::Act;
use crate::keeper::{Capture, Kept};
use crate::run::Ended;

/// Carries one piece of work out.
pub async fn carry_work(part: &Part, tools: &Arc<Tools>, stops: watch::Receiver<Option<Stop>>) -> Ended {
    let mut capture = Capture::new(part.id, part.work.output_limit, part.work.fail_on_output.clone());
    let ended = match &part.work.act {
        Act::Command(line) => return Attempt { part, tools }.carry(line, stops).await,
        Act::Http(http) => {
            carry_native(part, tools, stops, &mut capture, |native| task::http::carry(http.clone(), native)).await
        }
        Act::Sql(sql) => {
            carry_native(part, tools, stops, &mut capture, |native| task::sql::carry(sql.clone(), native)).await
        }
        Act::Mail(mail) => {
            carry_native(part, tools, stops, &mut capture, |native| task::mail::carry(mail.clone(), native)).await
        }
    };
    let matched = capture.matched();
    tools.hand_on(capture.finish()).await;
    Ended { matched, ..ended }
}

/// Goes on with a command that was started for another scheduler.
pub async fn carry_on(part: &Part, kept: Kept, tools: &Arc<Tools>, stops: watch::Receiver<Option<Stop>>) -> Ended {
    Attempt { part, tools }.carry_on(kept, stops).await
}
