//! How long does it take until a file of 100,000 jobs is read and planned, and how much memory does it take then?
//!
//! The jobs have a thousand different schedules among them. At most 2 s is the aim for both together, and at most 600
//! bytes of memory a job beyond its own text. Its own text are the bytes of its table in the file, of which the daemon
//! holds one copy as long as the file is in force: that copy is not counted, all other bytes are, as they were asked of
//! the allocator.

#![allow(unsafe_code, clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicIsize, Ordering};

use divan::Bencher;
use punctual::jobfile::Checked;
use punctual::plan::{Memory, Planner};
use support::{read, start};

const JOBS: usize = 100_000;

/// The bytes that were asked for and not given back.
struct Counting(AtomicIsize);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AtomicIsize::new(0));

impl Counting {
    fn count(&self, bytes: usize, sign: isize) {
        self.0.fetch_add(bytes.cast_signed() * sign, Ordering::Relaxed);
    }
}

// SAFETY: the system's allocator does everything; the counter touches no memory of anybody.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size(), 1);
        // SAFETY: the caller keeps to what `alloc` demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.count(layout.size(), -1);
        // SAFETY: the caller keeps to what `dealloc` demands, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(size, 1);
        self.count(layout.size(), -1);
        // SAFETY: the caller keeps to what `realloc` demands, and the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A file of jobs as people write them: a name, when, what, and here and there one key more.
fn text() -> String {
    let mut text = String::new();
    for number in 0..JOBS {
        let (minute, hour) = (number % 60, number / 60 % 17);
        // 1,020 different ones.
        let schedule = match hour {
            0 => format!("{minute} * * * *"),
            1 => format!("every {}m", minute + 2),
            _ => format!("{minute} {hour} * * 1-5"),
        };
        writeln!(text, "[jobs.report-{number}]\nschedule = \"{schedule}\"").unwrap();
        writeln!(text, "command = \"/usr/local/bin/report --customer {number} --quiet\"").unwrap();
        if number % 4 == 0 {
            writeln!(text, "timeout = \"10m\"").unwrap();
        }
        if number % 5 == 0 {
            writeln!(text, "timezone = \"America/New_York\"").unwrap();
        }
        writeln!(text).unwrap();
    }
    text
}

fn plan(checked: &Checked) -> Planner {
    let (planner, first) = Planner::restore(&checked.jobs, 100, Memory::default(), start());
    assert_eq!(first.records.len(), 2 * JOBS);
    planner
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn reading(bencher: Bencher) {
    let text = text();
    bencher.with_inputs(|| text.clone()).bench_values(read);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn planning(bencher: Bencher) {
    let checked = read(text());
    bencher.bench(|| plan(&checked));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn both(bencher: Bencher) {
    let text = text();
    bencher.with_inputs(|| text.clone()).bench_values(|text| {
        let checked = read(text);
        (plan(&checked), checked)
    });
}

fn say_memory() {
    let text = text();
    let own = text.len() / JOBS;
    let live = || ALLOCATOR.0.load(Ordering::Relaxed).cast_unsigned();
    let before = live() - text.len();
    let mut checked = read(text);
    checked.put_into_force();
    let jobs = (live() - before) / JOBS;
    let _planner = plan(&checked);
    let all = (live() - before) / JOBS;
    println!("A job has {own} bytes of its own text, and takes {} bytes of memory beyond it:", all - own);
    println!("{} for the job, {} for its plan.\n", jobs - own, all - jobs);
}

fn main() {
    say_memory();
    divan::main();
}
