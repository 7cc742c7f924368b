//! How is an order carried to its end? By its one piece of work, or step by step; begun here, or for another scheduler before.

use std::sync::Arc;

use tokio::sync::watch;

use super::course::{carry_steps, resume_steps};
use super::door::{Event, Order, Stop};
use super::estate::Estate;
use super::left::carry_left;
use super::part::Part;
use super::tools::Tools;
use super::work::{carry_on, carry_work};
use crate::job::{Act, CommandLine, Surroundings, Task, Work};
use crate::keeper::Kept;
use crate::run::{Ended, Exit};

/// Carries an order out; its end is reported after all that it wrote was handed on.
pub async fn carry(order: Order, tools: Arc<Tools>, stops: watch::Receiver<Option<Stop>>) {
    let run = order.run;
    let order = Arc::new(order);
    let ended = match &order.job.task {
        Task::Work(work) => carry_work(&Part::whole(order.clone(), work.clone()), &tools, stops).await,
        Task::Steps(steps) => carry_steps(&order, steps.clone(), &tools, stops).await,
    };
    let _ = tools.events.send(Event::Ended { run, ended }).await;
}

/// Carries to its end what was begun for another scheduler.
pub async fn go_on(order: Order, estate: Option<Estate>, tools: Arc<Tools>, stops: watch::Receiver<Option<Stop>>) {
    let run = order.run;
    let order = Arc::new(order);
    let ended = match (estate, &order.job.task) {
        (Some(Estate::Left { process, started }), _) => {
            let ended = carry_left(&order, process, &tools, stops).await;
            let duration = started.map(|started| ended.at.duration_since(started));
            Ended { duration: duration.and_then(|span| span.try_into().ok()).unwrap_or_default(), ..ended }
        }
        (Some(Estate::Kept { parts, started, steps: past }), task) => {
            let is_whole = !parts.is_empty() && parts.iter().all(|kept| kept.id.step == 0);
            match task {
                Task::Steps(steps) if !is_whole => {
                    let past = (parts, started, past);
                    resume_steps(&order, steps.clone(), past, &tools, stops).await
                }
                Task::Work(work) if is_whole => one(&order, work, parts, &tools, stops).await,
                Task::Work(_) | Task::Steps(_) => strays(&order, parts, &tools, stops).await,
            }
        }
        (None, _) => lost(&tools, "nothing of it is there any more"),
    };
    let _ = tools.events.send(Event::Ended { run, ended }).await;
}

fn lost(tools: &Tools, detail: &str) -> Ended {
    Ended::unmeasured(Exit::Lost { detail: detail.to_owned() }, tools.clock.now())
}

/// The process of the last attempt; an earlier one's end is in the ledger.
async fn one(
    order: &Arc<Order>,
    work: &Work,
    parts: Vec<Kept>,
    tools: &Arc<Tools>,
    stops: watch::Receiver<Option<Stop>>,
) -> Ended {
    match parts.into_iter().max_by_key(|kept| kept.id) {
        Some(kept) => {
            let part = Part { id: kept.id, ..Part::whole(order.clone(), work.clone()) };
            carry_on(&part, kept, tools, stops).await
        }
        None => lost(tools, "nothing of it is there any more"),
    }
}

/// The job has become another one while no scheduler was there: what runs of it comes to its end by no rules but a stop.
async fn strays(
    order: &Arc<Order>,
    parts: Vec<Kept>,
    tools: &Arc<Tools>,
    stops: watch::Receiver<Option<Stop>>,
) -> Ended {
    let work =
        Work { act: Act::Command(CommandLine::Program(Vec::new())), surroundings: Arc::new(Surroundings::default()) };
    for kept in parts {
        let part = Part { id: kept.id, ..Part::whole(order.clone(), work.clone()) };
        carry_on(&part, kept, tools, stops.clone()).await;
    }
    lost(tools, "the job was changed into another one while its run was handed on; what ran of it has ended")
}
