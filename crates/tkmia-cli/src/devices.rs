//! `tkmia devices`.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::Args;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tkmia_core::devices;

/// List the devices that --device may name, and say what keeps others from being used
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  tkmia devices
  tkmia devices --json | jq -r '.[] | select(.usable) | .name'";

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    usable: bool,
    /// What it is, or why it can't be used.
    what: String,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let line = |(name, found): (String, Result<_, tkmia_core::CoreError>)| match found {
        Ok(_) => {
            let what = match name.as_str() {
                "wgpu" => adapters(),
                name if name.starts_with("cuda") => gpu(),
                _ => cpu(),
            };
            Line { name, usable: true, what }
        }
        Err(error) => Line { name, usable: false, what: error.to_string() },
    };
    let lines: Vec<Line> = devices().into_iter().map(line).collect();
    let mut text = String::new();
    if arguments.json {
        text = serde_json::to_string_pretty(&lines)? + "\n";
    } else {
        for Line { name, usable, what } in &lines {
            let mark = if *usable { "" } else { "not usable: " };
            writeln!(text, "{name:8} {mark}{what}")?;
        }
    }
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Burn doesn't tell more.
fn gpu() -> String {
    "computes 1 + 1 = 2".to_owned()
}

/// The adapters that there are, of which Burn takes one; a software one is slower than the CPU.
#[cfg(feature = "wgpu")]
fn adapters() -> String {
    let instance = wgpu::Instance::default();
    let found = futures_lite::future::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let name = |adapter: &wgpu::Adapter| {
        let wgpu::AdapterInfo { name, backend, device_type, .. } = adapter.get_info();
        let software = if device_type == wgpu::DeviceType::Cpu { ", software" } else { "" };
        format!("{name} ({backend}{software})")
    };
    let names: Vec<String> = found.iter().map(name).collect();
    format!("{}; {}", names.join(", "), gpu())
}

#[cfg(not(feature = "wgpu"))]
fn adapters() -> String {
    gpu()
}

/// Its make, threads, vector instructions and memory.
fn cpu() -> String {
    let kinds = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let brand = system.cpus().first().map_or("", |cpu| cpu.brand()).trim();
    let threads = available_parallelism().map_or(1, usize::from);
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    format!(
        "{brand}, {threads} threads, {}, {:.1} GiB ({:.1} free)",
        vectors(),
        gib(system.total_memory()),
        gib(system.available_memory()),
    )
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        "AVX2"
    } else {
        "no AVX2"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    std::env::consts::ARCH
}
