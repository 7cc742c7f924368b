//! Where do log lines go, and how do they read?

use std::fmt;
use std::io;

use jiff::Zoned;
use jiff::tz::TimeZone;
use owo_colors::{OwoColorize, Style};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::service::is_service;
use crate::clock::Clock;

/// Our own lines, and of libraries only what is wrong; `PUNCTUAL_LOG` says otherwise.
const DEFAULT_FILTER: &str = "warn,punctual=info";

/// Lets log lines go to journald under systemd, with their fields, or else to standard error.
pub fn init(color: bool) {
    let filter = || {
        let directives = std::env::var("PUNCTUAL_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
        EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER))
    };
    let journal = is_service().then(tracing_journald::layer).and_then(Result::ok);
    let terminal = journal.is_none().then(|| {
        let lines = Lines { clock: Clock::System, zone: TimeZone::system(), color };
        tracing_subscriber::fmt::layer().with_writer(io::stderr).event_format(lines).with_filter(filter())
    });
    let journal = journal.map(|layer| layer.with_syslog_identifier("punctual".to_owned()).with_filter(filter()));
    // A second time, as in tests, the first stays.
    let _ = tracing_subscriber::registry().with(terminal).with(journal).try_init();
}

/// A line as people read it: the time, a mark where something is wrong, the message.
struct Lines {
    clock: Clock,
    zone: TimeZone,
    color: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now: Zoned = self.clock.now().to_zoned(self.zone.clone());
        let time = now.strftime("%H:%M:%S%.3f").to_string();
        let level = *event.metadata().level();
        let (mark, style) = match level {
            Level::ERROR => ("error: ", Style::new().red().bold()),
            Level::WARN => ("", Style::new().yellow()),
            _ => ("", Style::new()),
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        let message = message.0;
        if self.color {
            writeln!(writer, "{}  {}{}", time.dimmed(), mark.style(style), message.style(style))
        } else {
            writeln!(writer, "{time}  {mark}{message}")
        }
    }
}

/// The message of an event; its other fields are for journald.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
