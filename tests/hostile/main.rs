//! Files that nobody made for us: whatever is in them, a reader returns, soon, and without much memory.
//!
//! Each kind of file has small whole ones, which are read once, and then with damages. Cases are numbered, and a number is
//! always the same damage. A process of its own reads them, so that one that is killed, or kills itself, is told by its
//! number:
//!
//! ```text
//! TKMIA_HOSTILE=0..1000000 cargo test --test hostile onnx
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod kinds;
mod seeds;

use std::env;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kinds::{KINDS, Kind};
use seeds::Seed;

/// Which cases are read.
const CASES: &str = "TKMIA_HOSTILE";
const FEW: Range<u64> = 0..300;
/// The file in which the process that reads says where it is.
const PLACE: &str = "TKMIA_HOSTILE_PLACE";

/// The limit that readers are given, and what they may take in all.
const MEMORY: u64 = 256 << 20;
const PEAK: u64 = 2 << 30;
/// For one file.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether there was a panic, even if it was caught.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Reads all cases of a kind, or looks after the process that does.
pub fn hold(name: &str) {
    let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
    let cases = env::var(CASES).map_or(FEW, |text| {
        let (first, end) = text.split_once("..").unwrap();
        first.parse().unwrap()..end.parse().unwrap()
    });
    match env::var_os(PLACE) {
        Some(place) => read_all(kind, cases, Path::new(&place)),
        None => watch(name),
    }
}

fn watch(kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let [place, said] = ["place", "said"].map(|name| folder.path().join(name));
    let mut reader = Command::new(env::current_exe().unwrap())
        .args([kind, "--exact", "--nocapture"])
        .env(PLACE, &place)
        .env("TKMIA_MAX_MEMORY", MEMORY.to_string())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let (mut at, mut since) = (String::new(), Instant::now());
    let fault = loop {
        sleep(Duration::from_millis(50));
        let now = fs::read_to_string(&place).unwrap_or_default();
        if let Some(status) = reader.try_wait().unwrap() {
            break (!status.success()).then(|| status.to_string());
        }
        if now != at {
            (at, since) = (now, Instant::now());
        }
        if since.elapsed() > LONGEST {
            break Some(format!("it takes more than {LONGEST:?}"));
        }
        if peak(&reader).is_some_and(|peak| peak > PEAK) {
            break Some(format!("it takes more than {PEAK} bytes"));
        }
    };
    let said = fs::read(&said).unwrap();
    let tail = String::from_utf8_lossy(&said[said.len().saturating_sub(2000)..]).into_owned();
    if let Some(fault) = fault {
        // It may have ended by itself.
        let _ = reader.kill();
        let _ = reader.wait();
        panic!("{kind}, case {}: {fault}\n{tail}", fs::read_to_string(&place).unwrap_or_default());
    }
    println!("{}", tail.lines().last().unwrap_or_default());
}

/// The most memory that a process had by now.
fn peak(process: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().trim_end_matches(" kB").parse::<u64>().ok()?)
}

fn read_all(Kind { name: kind, seeds, read }: &Kind, cases: Range<u64>, place: &Path) {
    let seeds = seeds();
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> =
        (0..seeds.len()).map(|at| root.path().join(at.to_string())).collect();
    for (seed, folder) in seeds.iter().zip(&folders) {
        for (name, bytes) in &seed.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        read(folder).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    set_hook(Box::new(|panic| {
        if !kinds::may_be_caught(panic) {
            eprintln!("{panic}");
            PANICKED.store(true, Ordering::Relaxed);
        }
    }));
    let mut place = File::create(place).unwrap();
    let (mut refused, total) = (0_u64, cases.end - cases.start);
    for case in cases {
        place.rewind().unwrap();
        write!(place, "{case:20}").unwrap();
        let mut random = Rng::with_seed(case);
        let at = random.usize(..seeds.len());
        let Seed { files, damaged } = &seeds[at];
        let (name, whole) = &files[damaged[random.usize(..damaged.len())]];
        let others = &seeds[random.usize(..seeds.len())];
        let (_, other) = &others.files[others.damaged[random.usize(..others.damaged.len())]];
        let path = folders[at].join(name);
        fs::write(&path, damage::damaged(whole, other, &mut random)).unwrap();
        let found = catch_unwind(AssertUnwindSafe(|| read(&folders[at])));
        if PANICKED.load(Ordering::Relaxed) || found.is_err() {
            std::process::exit(1);
        }
        refused += u64::from(found.is_ok_and(|found| found.is_err()));
        fs::write(&path, whole).unwrap();
    }
    eprintln!("{kind}: {refused} of {total} refused");
    assert!(total < 100 || refused > 0);
}
