//! Judges CSV files of `t_s,rss_bytes,requests[,live_bytes]` and prints one JSON object a line: the form in which the
//! figures of METHOD.md were measured.
//!
//! `judge_csv [--per-request BYTES] [--strictness N] [--repeat N] FILE...`
#![allow(clippy::print_stdout, reason = "an example's output is what it is for")]

use std::error::Error;

use serde_json::json;
use steep::growth::{Materiality, Series};
use steep::units::BytesPerRequest;
use steep::verdict::judge;

fn main() -> Result<(), Box<dyn Error>> {
    let mut materiality = Materiality::default();
    let mut repeat = 1_u32;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number =
            || arguments.next().ok_or("a number is missing")?.parse::<f64>().map_err(Box::<dyn Error>::from);
        match argument.as_str() {
            "--per-request" => materiality.per_request = BytesPerRequest::new(number()?),
            "--strictness" => materiality.strictness = number()?,
            "--repeat" => repeat = number()? as u32,
            path => println!("{}", judged(path, &read(path)?, &materiality, repeat)),
        }
    }
    Ok(())
}

/// One line for one file; with `repeat`, the mean time of so many judgements is part of it.
fn judged(path: &str, series: &Series, materiality: &Materiality, repeat: u32) -> serde_json::Value {
    let start = std::time::Instant::now();
    let mut judgement = judge(series, materiality);
    for _ in 1..repeat {
        judgement = judge(series, materiality);
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(repeat);
    let growth = judgement.growth.as_ref();
    let hour = growth.map(|g| g.per_hour.map(steep::units::BytesPerHour::get));
    let request = growth.and_then(|g| g.per_request).map(|g| g.map(BytesPerRequest::get));
    json!({
        "source": path, "verdict": judgement.verdict, "reason": judgement.reason,
        "growth_bytes_per_hour": hour.map(|g| g.value), "low_bytes_per_hour": hour.map(|g| g.low),
        "high_bytes_per_hour": hour.map(|g| g.high), "growth_bytes_per_request": request.map(|g| g.value),
        "low_bytes_per_request": request.map(|g| g.low), "high_bytes_per_request": request.map(|g| g.high),
        "follows": growth.map(|g| g.follows), "evidence": growth.map(|g| g.evidence),
        "leak_model": growth.map(|g| g.leak_model), "calm_model": growth.map(|g| g.calm_model),
        "need_seconds": judgement.need.map(|need| need.as_secs_f64()),
        "seen_at_least_bytes_per_hour": growth.map(|g| g.seen_at_least),
        "samples": growth.map(|g| g.samples), "seconds": growth.map(|g| g.seconds),
        "jumps": growth.map(|g| g.jumps), "micros": micros,
    })
}

fn read(path: &str) -> Result<Series, Box<dyn Error>> {
    let mut series = Series::default();
    for line in std::fs::read_to_string(path)?.lines().skip(1) {
        let numbers = line.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [t, memory, requests, live @ ..] = &numbers[..] else { return Err("a line has three numbers".into()) };
        series.t_s.push(*t);
        series.memory_bytes.push(*memory);
        series.requests.push(*requests);
        series.live_bytes.extend(live.first());
    }
    Ok(series)
}
