use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;

use super::*;
use crate::job::{ChannelName, JobName};
use crate::notice::{Facts, Kind, Notice, NoticeId};
use crate::plan::Record;
use crate::report::DeliveryReport;
use crate::run::{EventKind, EventNote, RunId};
use crate::settings::Retention;
use crate::store::Store;
use crate::store::batch::write_records;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

fn lane(carrier: CarrierKind) -> Lane {
    Lane { channel: ChannelName::new("ops").unwrap(), carrier }
}

fn notice(number: i64, job: Option<&str>, second: i64) -> Notice {
    Notice {
        number: NoticeId(number),
        at: at(second),
        kind: Kind::Failed,
        job: job.map(name),
        run: None,
        channel: lane(CarrierKind::Mail).channel,
        carriers: vec![CarrierKind::Mail, CarrierKind::Webhook],
        facts: Facts {
            in_a_row: 3, since: Some(at(5)), detail: Some("größer\n\"x\"".to_owned()), ..Facts::default()
        },
    }
}

struct Ledger {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Ledger {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
        Self { store, _folder: folder }
    }

    async fn write(&self, records: &[Record]) {
        let mut connection = self.store.writer.acquire().await.unwrap();
        write_records(&mut connection, &[records], &self.store.identity).await.unwrap();
    }

    async fn notices(&self, notices: &[Notice]) {
        let records: Vec<Record> = notices.iter().cloned().map(Record::Notice).collect();
        self.write(&records).await;
    }

    async fn message(&self, lane: &Lane, notices: &[i64], id: &str) -> Option<Message> {
        let notices: Vec<NoticeId> = notices.iter().copied().map(NoticeId).collect();
        self.store.make_message(lane, &notices, (id.to_owned(), None), at(100), at(200)).await.unwrap()
    }

    async fn listed(&self, filter: NoticeFilter) -> Vec<(i64, CarrierKind, String, i64)> {
        let rows = self.store.reader.deliveries(&filter).await.unwrap();
        let short = |row: DeliveryReport| (row.notice.0, row.carrier, row.state, row.tries);
        rows.into_iter().map(short).collect()
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query(sql).fetch_one(&self.store.writer).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn words_of_standings_and_carriers_agree() {
    let ledger = Ledger::new().await;
    let words = async |table: &str| -> Vec<(i64, String)> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT number, word FROM {table} ORDER BY number"));
        sqlx::query_as(sql).fetch_all(&ledger.store.writer).await.unwrap()
    };
    let carriers = CarrierKind::WORDS.map(|(word, carrier)| (number_of(carrier), word.to_owned()));
    assert_eq!(words("carriers").await, carriers);
    let standings = Standing::WORDS.map(|(word, standing)| (number_of_standing(standing), word.to_owned()));
    assert_eq!(words("standings").await, standings);
}

#[tokio::test]
async fn a_notice_is_read_as_it_was_written_and_is_there_once() {
    let ledger = Ledger::new().await;
    let written = [notice(7, Some("a"), 10), notice(8, None, 11), notice(9, Some("gone"), 12)];
    ledger.write(&[Record::Job(name("a"))]).await;
    ledger.notices(&written).await;
    ledger.notices(&written).await;
    let waiting = ledger.store.reader.notices_waiting(&lane(CarrierKind::Mail), 10).await.unwrap();
    let mut expect = written.map(|notice| Notice { carriers: vec![CarrierKind::Mail], ..notice });
    expect[2].job = None;
    assert_eq!(waiting, expect);
    assert_eq!((ledger.count("notices").await, ledger.count("deliveries").await), (3, 6));
    assert_eq!(ledger.store.reader.highest_notice().await.unwrap(), 9);
    let lanes = ledger.store.reader.lanes().await.unwrap();
    assert_eq!(lanes, [lane(CarrierKind::Mail), lane(CarrierKind::Webhook)]);
}

#[tokio::test]
async fn a_message_is_taken_in_order_and_keeps_its_id() {
    let ledger = Ledger::new().await;
    ledger.notices(&[notice(1, None, 10), notice(2, None, 11), notice(3, None, 12)]).await;
    let mail = lane(CarrierKind::Mail);
    let first = ledger.message(&mail, &[1, 2], "one").await.unwrap();
    // What is in a message is in no other.
    assert_eq!(ledger.message(&mail, &[1, 2], "again").await, None);
    let second = ledger.message(&mail, &[3], "two").await.unwrap();
    let reader = &ledger.store.reader;
    assert_eq!(reader.next_message(&mail).await.unwrap().as_ref(), Some(&first));
    assert_eq!(reader.next_message(&lane(CarrierKind::Webhook)).await.unwrap(), None);
    let waits = Outcome::Waits { next_try: at(130), answer: "450 later".to_owned() };
    ledger.store.message_came(first.number, waits, at(101)).await.unwrap();
    let expect = Message { tries: 1, next_try: Some(at(130)), ..first.clone() };
    assert_eq!(reader.next_message(&mail).await.unwrap(), Some(expect));
    let numbers: Vec<i64> =
        reader.notices_of(&first, &mail).await.unwrap().iter().map(|notice| notice.number.0).collect();
    assert_eq!(numbers, [1, 2]);
    let sent = Outcome::Sent { answer: "250 queued".to_owned() };
    ledger.store.message_came(first.number, sent, at(131)).await.unwrap();
    assert_eq!(reader.next_message(&mail).await.unwrap(), Some(second.clone()));
    let given_up = Outcome::Undeliverable { answer: "550 no".to_owned(), was_tried: true };
    ledger.store.message_came(second.number, given_up, at(140)).await.unwrap();
    let filter = |standing| NoticeFilter { standing, ..NoticeFilter::default() };
    let mail = CarrierKind::Mail;
    assert_eq!(ledger.listed(filter(Some(Standing::Undeliverable))).await, [(3, mail, "undeliverable".to_owned(), 1)]);
    assert_eq!(
        ledger.listed(filter(Some(Standing::Sent))).await,
        [(1, mail, "sent".to_owned(), 2), (2, mail, "sent".to_owned(), 2)]
    );
    assert_eq!(ledger.listed(filter(Some(Standing::Waiting))).await.len(), 3);
    assert_eq!(ledger.listed(NoticeFilter { most: Some(1), ..filter(None) }).await.len(), 1);
    let outstanding = Outstanding { waiting: 3, oldest: Some(at(10)), undeliverable: 1 };
    assert_eq!(reader.outstanding(at(139)).await.unwrap(), outstanding);
    assert_eq!(reader.outstanding(at(140)).await.unwrap().undeliverable, 0);
    let shown: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT notice, carrier, state, tries FROM notices_shown WHERE carrier = 'mail' ORDER BY notice",
    )
    .fetch_all(&ledger.store.writer)
    .await
    .unwrap();
    let row = |notice, state: &str, tries| (notice, "mail".to_owned(), state.to_owned(), tries);
    assert_eq!(shown, [row(1, "sent", 2), row(2, "sent", 2), row(3, "undeliverable", 1)]);
}

#[tokio::test]
async fn messages_of_one_trouble_are_one_thread() {
    let ledger = Ledger::new().await;
    ledger.write(&[Record::Job(name("a")), Record::Job(name("b"))]).await;
    ledger.notices(&[notice(1, Some("a"), 10), notice(2, Some("b"), 11), notice(3, Some("a"), 20)]).await;
    let mail = lane(CarrierKind::Mail);
    for (number, id) in [(1, "one"), (2, "two"), (3, "three")] {
        ledger.message(&mail, &[number], id).await.unwrap();
    }
    let thread = async |job: &str, since: i64| ledger.store.reader.thread(&mail, &name(job), at(since)).await.unwrap();
    assert_eq!(thread("a", 10).await.as_deref(), Some("one"));
    assert_eq!(thread("a", 11).await.as_deref(), Some("three"));
    assert_eq!(thread("b", 0).await.as_deref(), Some("two"));
    assert_eq!(thread("b", 12).await, None);
    // That it is over begins nothing, though it comes after the success; what is told of a run is its own story.
    let run = "INSERT INTO runs (run, job, cause, due, state) VALUES (77, (SELECT number FROM jobs WHERE name = 'b'), 1, 0, 3)";
    sqlx::query(run).execute(&ledger.store.writer).await.unwrap();
    let of_run = |number, second| Notice { run: Some(RunId(77)), ..notice(number, Some("b"), second) };
    ledger
        .notices(&[Notice { kind: Kind::Recovered, ..of_run(4, 30) }, Notice { kind: Kind::Slow, ..of_run(5, 31) }])
        .await;
    ledger.message(&mail, &[4], "four").await.unwrap();
    ledger.message(&mail, &[5], "five").await.unwrap();
    assert_eq!(thread("b", 30).await.as_deref(), Some("five"));
    let of_run = async |run| ledger.store.reader.thread_of_run(&mail, RunId(run)).await.unwrap();
    assert_eq!((of_run(77).await.as_deref(), of_run(78).await), (Some("four"), None));
}

#[tokio::test]
async fn what_is_dropped_is_not_sent_and_what_is_tried_again_waits() {
    let ledger = Ledger::new().await;
    ledger.notices(&[notice(1, None, 10), notice(2, None, 11)]).await;
    let mail = lane(CarrierKind::Mail);
    let message = ledger.message(&mail, &[1, 2], "one").await.unwrap();
    ledger.store.drop_notices(&[NoticeId(1)], "anna", at(50)).await.unwrap();
    let (mail, webhook) = (CarrierKind::Mail, CarrierKind::Webhook);
    let row = |number, carrier, state: &str| (number, carrier, state.to_owned(), 0);
    assert_eq!(
        ledger.listed(NoticeFilter::default()).await,
        [row(1, mail, "dropped"), row(1, webhook, "dropped"), row(2, mail, "waiting"), row(2, webhook, "waiting")]
    );
    let left = ledger.store.reader.notices_of(&message, &lane(mail)).await.unwrap();
    assert_eq!(left.len(), 1);
    // The last one takes its message with it.
    ledger.store.drop_notices(&[NoticeId(2)], "anna", at(50)).await.unwrap();
    assert_eq!(ledger.store.reader.lanes().await.unwrap(), []);
    assert_eq!(ledger.store.reader.next_message(&lane(mail)).await.unwrap(), None);
    ledger.store.retry_notices(&[NoticeId(1)], at(60)).await.unwrap();
    let again = ledger.store.reader.next_message(&lane(mail)).await.unwrap().unwrap();
    assert_eq!((again.next_try, again.until), (None, at(60 + 3 * 24 * 3600)));
    assert_eq!(ledger.listed(NoticeFilter { numbers: Some(vec![2]), ..NoticeFilter::default() }).await.len(), 2);
}

#[tokio::test]
async fn what_was_told_is_remembered_until_it_is_forgotten_and_goes_with_the_name() {
    let ledger = Ledger::new().await;
    let told =
        |job: Option<&str>, words: Option<&str>| Record::Told { job: job.map(name), words: words.map(Into::into) };
    ledger.write(&[Record::Job(name("a")), Record::Job(name("b"))]).await;
    ledger.write(&[told(Some("a"), Some("1")), told(None, Some("2")), told(Some("a"), Some("3"))]).await;
    ledger.write(&[told(Some("none"), Some("4")), told(Some("b"), Some("5")), told(Some("b"), None)]).await;
    let known = async || {
        let mut told = ledger.store.reader.told().await.unwrap();
        told.sort();
        told
    };
    let row = |job: Option<&str>, words: &str| (job.map(name), Arc::<str>::from(words));
    assert_eq!(known().await, [row(None, "2"), row(Some("a"), "3")]);
    ledger.notices(&[notice(1, Some("a"), 10)]).await;
    ledger.write(&[Record::Renamed { from: name("a"), to: name("c"), is_new: true }]).await;
    assert_eq!(known().await, [row(None, "2"), row(Some("c"), "3")]);
    let listed = ledger.store.reader.deliveries(&NoticeFilter::default()).await.unwrap();
    assert_eq!(listed[0].job.as_deref(), Some("c"));
    // What makes way for another of its name is waited for by nobody.
    ledger.write(&[Record::Job(name("d")), told(Some("d"), Some("6"))]).await;
    ledger.write(&[Record::Renamed { from: name("c"), to: name("d"), is_new: true }]).await;
    assert_eq!(known().await, [row(None, "2"), row(Some("d"), "3")]);
    ledger.write(&[told(None, None), told(Some("d"), None)]).await;
    assert_eq!(known().await, []);
}

#[tokio::test]
async fn what_has_ended_is_forgotten_after_a_while_and_what_waits_is_not() {
    let ledger = Ledger::new().await;
    let day = 24 * 3600;
    ledger.notices(&[notice(1, None, 0), notice(2, None, 1), notice(3, None, 80 * day), notice(4, None, 2)]).await;
    for (carrier, id) in [(CarrierKind::Mail, "mail"), (CarrierKind::Webhook, "hook")] {
        for number in [1, 3, 4] {
            let message = ledger.message(&lane(carrier), &[number], &format!("{id}{number}")).await.unwrap();
            let sent = Outcome::Sent { answer: String::new() };
            ledger.store.message_came(message.number, sent, at(200)).await.unwrap();
        }
    }
    let retention = Retention { keep: None, keep_failures: None, keep_last: 1, max_size: None };
    ledger.store.prune(&retention, at(91 * day)).await.unwrap();
    let left: Vec<i64> = ledger.listed(NoticeFilter::default()).await.iter().map(|row| row.0).collect();
    // The second one waits, the third is young, and the last has the highest number.
    assert_eq!(left, [2, 2, 3, 3, 4, 4]);
    assert_eq!(ledger.count("messages").await, 4);
}

#[tokio::test]
async fn a_run_that_goes_leaves_what_was_told_of_it() {
    let ledger = Ledger::new().await;
    ledger.write(&[Record::Job(name("a"))]).await;
    sqlx::query("INSERT INTO runs (run, job, cause, due, state) VALUES (5, 1, 1, 0, 3)")
        .execute(&ledger.store.writer)
        .await
        .unwrap();
    ledger.notices(&[Notice { run: Some(RunId(5)), ..notice(1, Some("a"), 10) }]).await;
    let of_run = NoticeFilter { run: Some(RunId(5)), ..NoticeFilter::default() };
    assert_eq!(ledger.listed(of_run.clone()).await.len(), 2);
    sqlx::query("DELETE FROM runs").execute(&ledger.store.writer).await.unwrap();
    assert_eq!(ledger.listed(of_run).await, []);
    assert_eq!(ledger.listed(NoticeFilter::default()).await.len(), 2);
}

/// A ledger that no daemon of this version has written to can be asked, and learns what it lacks.
#[tokio::test]
async fn an_older_ledger_has_told_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::migrate!().run_to(14, &pool).await.unwrap();
    sqlx::raw_sql("PRAGMA application_id = 0x70756e63").execute(&pool).await.unwrap();
    pool.close().await;
    let reader = Reader::open(&path).await.unwrap();
    assert_eq!(reader.deliveries(&NoticeFilter::default()).await.unwrap(), []);
    assert_eq!(reader.outstanding(at(0)).await.unwrap(), Outstanding::default());
    let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
    let event = EventNote { at: at(1), kind: EventKind::Start, job: None, detail: String::new() };
    let mut connection = store.writer.acquire().await.unwrap();
    let records = [Record::Event(event), Record::Notice(notice(1, None, 10))];
    write_records(&mut connection, &[&records], &store.identity).await.unwrap();
    drop(connection);
    assert_eq!(store.reader.deliveries(&NoticeFilter::default()).await.unwrap().len(), 2);
    store.close().await;
}

/// A notice is often sent later than it was decided on.
#[tokio::test]
async fn the_last_success_is_that_before_a_time() {
    let ledger = Ledger::new().await;
    ledger.write(&[Record::Job(name("backup"))]).await;
    for (run, ended) in [(1, 10), (2, 20), (3, 30)] {
        let sql = "INSERT INTO runs (run, job, cause, due, state, outcome, ended)
                   SELECT $1, number, 1, $2, 3, $3, $2 FROM jobs WHERE name = 'backup'";
        let outcome = if run == 2 { 2 } else { 1 };
        let query = sqlx::query(sql).bind(run).bind(at(ended).as_microsecond()).bind(outcome);
        query.execute(&ledger.store.writer).await.unwrap();
    }
    for (before, expect) in [(5, None), (10, None), (11, Some(10)), (30, Some(10)), (31, Some(30))] {
        let found = ledger.store.reader.last_success("backup", at(before)).await.unwrap();
        assert_eq!(found, expect.map(at), "{before}");
    }
}
