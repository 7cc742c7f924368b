//! How is an order carried to its end? By its one piece of work, or step by step.

use std::sync::Arc;

use tokio::sync::watch;

use super::course::carry_steps;
use super::door::{Event, Order, Stop};
use super::part::Part;
use super::tools::Tools;
use super::work::carry_work;
use crate::job::Task;

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
