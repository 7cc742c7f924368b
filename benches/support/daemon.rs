//! The real daemon on a folder of its own, to be measured.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub struct Place {
    folder: TempDir,
}

pub struct Daemon(Child);

impl Place {
    pub fn new(jobs: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.folder.path().join("jobs.toml"), jobs).unwrap();
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
        let folder = self.folder.path();
        command.args(arguments).arg("--config").arg(folder.join("jobs.toml")).arg("--state").arg(folder.join("state"));
        command.stdin(Stdio::null()).current_dir(folder);
        command
    }

    pub fn start(&self) -> Daemon {
        Daemon(self.command(&["daemon"]).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until so many runs have succeeded, looking seldom, so as not to be what is measured.
    pub fn succeeded(&self, runs: usize) -> Vec<Value> {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let output = self.command(&["history", "-n", &(2 * runs).to_string(), "--json"]).output().unwrap();
            let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
            assert!(
                entries.iter().all(|entry| entry["outcome"].is_null() || entry["outcome"] == "succeeded"),
                "{entries:?}"
            );
            if entries.iter().filter(|entry| entry["outcome"] == "succeeded").count() >= runs {
                return entries;
            }
        }
    }
}

impl Daemon {
    /// In KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn stop(mut self) {
        let status = Command::new("/bin/kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(status.success());
        assert!(self.0.wait().unwrap().success());
    }
}
