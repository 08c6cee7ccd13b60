//! What tools print, in small: each a leak of 96 MiB an hour, or flat, over half an hour.

use std::fmt::Write as _;
use std::time::Duration;

use steep_judge::growth::{Materiality, fit};
use steep_judge::verdict::Verdict;

use super::*;

/// Readings, a quarter of a minute apart, from 23:40 on: clocks pass midnight.
const READINGS: usize = 120;
const SECONDS: usize = 15;
const EPOCH: usize = 1_790_000_000;

/// Resident memory in KiB: a leak of 400 KiB a reading, with a little noise without a pattern.
fn kib(i: usize) -> usize {
    90_000 + 400 * i + i * 7919 % 61
}

/// The same without the leak.
fn flat(i: usize) -> usize {
    90_000 + i * 7919 % 61
}

fn clock(i: usize) -> String {
    let at = (23 * 3600 + 40 * 60 + i * SECONDS) % 86_400;
    format!("{:02}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60)
}

/// The same on a dial of twelve hours.
fn clock_of_12(i: usize) -> String {
    let at = (23 * 3600 + 40 * 60 + i * SECONDS) % 86_400;
    let (hour, half) = (at / 3600, if at < 43_200 { "AM" } else { "PM" });
    format!("{:02}:{:02}:{:02} {half}", (hour + 11) % 12 + 1, at / 60 % 60, at % 60)
}

fn date(i: usize) -> String {
    format!("{} Nov {} {} UTC 2026", if i < 80 { "Mon" } else { "Tue" }, if i < 80 { " 2" } else { " 3" }, clock(i))
}

fn repeated(reading: impl Fn(usize) -> String) -> String {
    (0..READINGS).map(reading).collect()
}

fn options(given: &str) -> Options {
    let mut options = Options::default();
    let mut words = given.split_whitespace();
    while let Some(option) = words.next() {
        match option {
            "--restarts" => options.restarts = true,
            "--unit" => options.unit = words.next().and_then(|unit| unit.parse().ok()),
            "--every" => options.every = words.next().and_then(|s| s.parse().ok()).map(Duration::from_secs),
            "--series" => options.series.extend(words.next().map(str::to_owned)),
            "--zone" => options.zone = words.next().map(str::to_owned),
            "--columns" => options.columns = words.next().expect("columns").parse().expect("columns"),
            "--time-unit" => options.time_unit = words.next().and_then(|s| s.parse().ok()),
            other => panic!("{other}"),
        }
    }
    options
}

/// The format, and of each series its name, its verdict and its growth in MiB an hour; or why it was refused.
fn said_of(text: &str, given: &str) -> String {
    let read = match read(text, &options(given)) {
        Ok(read) => read,
        Err(refusal) => return refusal.to_string(),
    };
    let mut said = read.format.to_owned();
    for recording in &read.recordings {
        let judgement = recording.judged(&Materiality::default(), fit);
        let name = recording.name.as_deref().unwrap_or("-");
        let _ = match judgement.verdict {
            Verdict::Leak => {
                let growth = judgement.growth.as_ref().map_or(0.0, |growth| growth.per_hour.value.get());
                write!(said, "; {name}: leak of {:.0}", nominal(growth / 1_048_576.0))
            }
            Verdict::Invalid => write!(said, "; {name}: {}", judgement.reason),
            verdict => write!(said, "; {name}: {verdict}"),
        };
    }
    said
}

/// What was planted, if growth is within 8 % of it: the noise is not the same everywhere.
fn nominal(growth: f64) -> f64 {
    let planted = [94.0, 23.0, 3.0];
    planted.into_iter().find(|planted| (growth / planted - 1.0).abs() < 0.08).unwrap_or(growth)
}

fn said(text: &str) -> String {
    said_of(text, "")
}

#[test]
fn loops_of_ps_are_read() {
    let columns = "USER  PID %CPU %MEM   VSZ   RSS TTY STAT START  TIME COMMAND";
    let aux = repeated(|i| {
        let row = |pid, rss, name| format!("root {pid} 1.0 2.0 390000 {rss} ? Ssl 08:00 0:01 {name}\n");
        format!("{}\n{columns}\n{}{}", date(i), row(7, kib(i), "/usr/bin/web --port 80, x"), row(8, flat(i), "idle"))
    });
    assert_eq!(said(&aux), "ps; /usr/bin/web --port 80, x: leak of 94; idle: stable");
    assert_eq!(said_of(&aux, "--series idle"), "ps; idle: stable");
    assert!(said_of(&aux, "--series db").starts_with("there is no series \"db\"; there are /usr/bin/web"));
    let alone = repeated(|i| format!("{}\n  RSS\n{}\n", EPOCH + SECONDS * i, kib(i)));
    assert_eq!(said(&alone), "ps; -: leak of 94");
    let lived = format!("    ELAPSED   RSS CMD\n{}", repeated(|i| format!("{} {} node a.js\n", clock(i % 80), kib(i))));
    assert!(said(&lived).contains("line 82: time goes backwards"), "{}", said(&lived));
    let seconds = format!("ELAPSED   RSS\n{}", repeated(|i| format!("{} {}\n", 100 + SECONDS * i, kib(i))));
    assert_eq!(said(&seconds), "ps; -: leak of 94");
    let bare = repeated(|i| format!("{} {}\n", EPOCH + SECONDS * i, kib(i)));
    assert!(said(&bare).contains("it has 1, 2: name one by --columns"), "{}", said(&bare));
    assert_eq!(said_of(&bare, "--columns time=1,memory=2 --unit KiB"), "a table separated by blanks; -: leak of 94");
}

#[test]
fn logs_of_pidstat_are_read() {
    let banner = "Linux 6.8.0 (host) \t11/02/2026 \t_x86_64_\t(2 CPU)\n\n";
    let head = "UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command";
    for clock in [clock, clock_of_12] {
        let log = repeated(|i| {
            let head = if i % 10 == 0 { format!("\n{}  {head}\n", clock(i)) } else { String::new() };
            format!("{head}{}  0 370574 0,04 0,00 390000 {} 1,14 my web\n", clock(i), kib(i))
        });
        let log = format!("{banner}{log}Average:  0 370574 0,04 0,00 390000 95000 1,14 my web\n");
        assert_eq!(said(&log), "pidstat; my web: leak of 94");
    }
    let both = repeated(|i| {
        let row = |pid, rss| format!("{}  0 {pid} 0.04 0.00 390000 {rss} 1.14 web\n", clock(i));
        let other = "UID PID %usr %system %guest %wait %CPU CPU Command";
        format!(
            "{c}  {other}\n{c} 0 7 0.0 0.0 0.0 0.0 1 1 web\n\n{c}  {head}\n{}{}",
            row(7, kib(i)),
            row(8, flat(i)),
            c = clock(i)
        )
    });
    assert_eq!(said(&both), "pidstat; web 7: leak of 94; web 8: stable");
    let one_line =
        repeated(|i| format!("# Time {head}\n {} 0 7 0.04 0.00 390000 {} 1.14 web\n\n", EPOCH + SECONDS * i, kib(i)));
    assert_eq!(said(&one_line), "pidstat; web: leak of 94");
}

#[test]
fn screens_of_top_are_read_in_any_locale_with_colours() {
    let screen = |i: usize, res: String| {
        format!(
            "\u{1b}[H\u{1b}[2J\u{1b}(B\u{1b}[mtop - {} up 10 days,  1 user,  load average: 0,00, 0,01, 0,05\n\
             Tasks:   1 total,   1 running\n%Cpu(s):  0,3 us,  0,3 sy\nMiB Mem :   7956,0 total,   5036,3 free\n\n\
             \u{1b}[7m    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\u{1b}[0m\n 7 root 20 0 \
             390000 {res} 3000 S 0,3 1,1 0:01,23 my web\n",
            clock(i)
        )
    };
    assert_eq!(said(&repeated(|i| screen(i, kib(i).to_string()))), "top; my web: leak of 94");
    let in_mib = |i: usize| format!("{},{}m", kib(i) / 1024, kib(i) % 1024 * 10 / 1024);
    assert_eq!(said(&repeated(|i| screen(i, in_mib(i)))), "top; my web: leak of 94");
}

#[test]
fn memory_of_the_host_is_read_and_its_unit_asked_for_where_it_may_be_another() {
    let names = " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st";
    let row = |free: usize| format!(" 1  0      0 {free} 123456 654320    0    0     1     2   50  100  1  0 99  0  0");
    let vmstat = |free: fn(usize) -> usize| {
        repeated(|i| {
            let head =
                if i % 20 == 0 { format!("procs ---memory--- -timestamp-\n{names}   UTC\n") } else { String::new() };
            format!("{head}{} 2026-11-0{} {}\n", row(free(i)), if i < 80 { 2 } else { 3 }, clock(i))
        })
    };
    assert_eq!(said(&vmstat(|i| 5_000_000 - 400 * i - 4 * (i % 7))), "vmstat; -: leak of 94");
    let in_mib = vmstat(|i| 5000 - i / 2);
    assert!(said(&in_mib).contains("the unit of memory in use stands nowhere"), "{}", said(&in_mib));
    let untimed: String =
        std::iter::once(format!("{names}\n")).chain((0..60).map(|i| row(5_000_000 - 400 * i) + "\n")).collect();
    assert!(said(&untimed).contains("--every 10s"), "{}", said(&untimed));
    assert_eq!(said_of(&untimed, "--every 60"), "vmstat; -: leak of 23");
    let sar = repeated(|i| {
        let head = if i % 20 == 0 {
            format!("\n{} kbmemfree kbavail kbmemused %memused kbbuffers kbcached\n", clock(i))
        } else {
            String::new()
        };
        format!("{head}{} 5000000 {} 3000000 13,89 123456 654320\n", clock(i), 6_000_000 - kib(i))
    });
    assert_eq!(said(&sar), "sar -r; -: leak of 94");
    let free = |unit: &str, of: usize| {
        repeated(|i| {
            format!(
                "{}\n  total  used  free  shared  buff/cache  available\nMem: {}{unit} 1{unit} 1{unit} 1{unit} 1{unit} {}{unit}\nSwap: 0 0 0\n",
                clock(i),
                9_000_000 / of,
                (8_000_000 - 400 * i) / of
            )
        })
    };
    assert_eq!(said(&free("Ki", 1)), "free; -: leak of 94");
    assert!(said(&free("", 1024)).contains("the unit of memory in use stands nowhere"));
}

#[test]
fn containers_and_pods_are_series_of_their_own() {
    let head = "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %     NET I/O   PIDS";
    let mib = |kib: usize| format!("{:.2}MiB", kib as f64 / 1024.0);
    let screen = |i: usize| {
        let row = |name, kib| {
            format!("a1b2c3   {name}       0.50%     {} / 1.944GiB   9.04%     1.2kB / 3.4kB   5\n", mib(kib))
        };
        format!("{head}\n{}{}", row("web", kib(i)), row("db", flat(i)))
    };
    let dated = repeated(|i| format!("{}\n{}", date(i), screen(i)));
    assert_eq!(said(&dated), "docker stats; web: leak of 94; db: stable");
    let stream = repeated(|i| format!("\u{1b}[2J\u{1b}[H{}", screen(i)));
    assert!(said(&stream).contains("--every 10s"), "{}", said(&stream));
    assert_eq!(said_of(&stream, "--every 15 --series web"), "docker stats; web: leak of 94");
    let json = repeated(|i| {
        format!("{{\"Name\":\"web\",\"ID\":\"a1\",\"MemUsage\":\"{} / 2GiB\",\"MemPerc\":\"9%\"}}\n", mib(kib(i)))
    });
    assert_eq!(said_of(&json, "--every 15"), "JSON lines; web: leak of 94");
    let pods = repeated(|i| {
        let pod = if i < 60 { "web-6d5f7c9b8-x2x9z" } else { "web-7f9c6d5b4d-bbcdf" };
        format!(
            "{}\nPOD   NAME   CPU(cores)   MEMORY(bytes)\n{pod}   app   3m   {}Ki\n{pod}   side   3m   {}Ki\n",
            EPOCH + 60 * i,
            kib(i % 60),
            flat(i)
        )
    });
    assert_eq!(said(&pods), "kubectl top; web/app: leak of 23; web/side: stable");
    let bare = repeated(|i| format!("{} web-6d5f7c9b8-x2x9z 3m {}Ki\n", EPOCH + SECONDS * i, kib(i)));
    assert_eq!(said(&bare), "a table separated by blanks; web-6d5f7c9b8-x2x9z: leak of 94");
}

#[test]
fn profilers_and_proc_are_read() {
    let mib = |i: usize| kib(i) as f64 / 1024.0;
    let psrecord = format!(
        "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)\n{}",
        repeated(|i| format!("{:12}.000 {:12.3} {:12.3}     5810.457\n", SECONDS * i, 5.1, mib(i)))
    );
    assert_eq!(said(&psrecord), "psrecord; -: leak of 94");
    let smem = repeated(|i| {
        format!(
            "{}\n  PID User  Command  Swap  USS  PSS  RSS\n 7 root my web --x 0 80.1M 90.2M {:.2}M\n",
            clock(i),
            mib(i)
        )
    });
    assert_eq!(said(&smem), "smem; my web --x: leak of 94");
    let status = repeated(|i| format!("{} VmRSS:\t  {} kB\n", clock(i), kib(i)));
    assert_eq!(said(&status), "/proc/PID/status; -: leak of 94");
    let mprof =
        format!("CMDLINE a\n{}CMDLINE a\n", repeated(|i| format!("MEM {:.6} {}.5\n", mib(i), EPOCH + SECONDS * i)));
    assert_eq!(said(&mprof), "a .dat file of memory_profiler; -: leak of 94");
}

#[test]
fn exports_of_monitoring_are_read_and_counters_and_rates_are_refused() {
    let wide = |name: &str| {
        format!(
            "\"Time\",\"{name}{{job=\"\"a\"\"}}\",\"{name}{{job=\"\"b\"\"}}\"\n{}",
            repeated(|i| format!(
                "{},{},{}\n",
                (EPOCH + SECONDS * i) * 1000,
                kib(i) * 1024,
                if i > 4 { (flat(i) * 1024).to_string() } else { String::new() }
            ))
        )
    };
    let named = |label: &str| format!("process_resident_memory_bytes{{job=\"{label}\"}}");
    let read = said(&wide("process_resident_memory_bytes"));
    assert_eq!(read, format!("CSV; {}: leak of 94; {}: stable", named("a"), named("b")));
    assert!(said(&wide("rate(process_resident_memory_bytes[5m])")).contains("an amount by the second"));
    let long = format!(
        "Series;Time;Value\n{}",
        repeated(|i| format!("web-1;{};{}\n", (EPOCH + SECONDS * i) * 1000, kib(i) * 1024))
    );
    assert_eq!(said(&long), "CSV separated by semicolons; web-1: leak of 94");
    let calm = format!(
        "Series;Time;Value\n{}",
        repeated(|i| format!("web-1;{};{}\n", (EPOCH + SECONDS * i) * 1000, flat(i) * 1024))
    );
    assert!(
        said(&calm).ends_with("the unit of Value stands nowhere: say it by --unit bytes, --unit KiB or --unit MiB")
    );
    assert_eq!(said_of(&calm, "--unit bytes"), "CSV separated by semicolons; web-1: stable");
    let counter = format!("Time,x\n{}", repeated(|i| format!("{},{}\n", EPOCH + SECONDS * i, kib(i) * 1024)));
    let counter = said_of(
        &counter.replace('x', "go_memstats_alloc_bytes_total"),
        "--columns memory=go_memstats_alloc_bytes_total",
    );
    assert!(counter.contains("only ever counts up"), "{counter}");
    let metrics = repeated(|i| {
        format!(
            "{}\n# TYPE a counter\na_bytes_total 5e9\nprocess_resident_memory_bytes {}\n",
            EPOCH + SECONDS * i,
            kib(i) * 1024
        )
    });
    assert_eq!(said(&metrics), "metrics of Prometheus; process_resident_memory_bytes: leak of 94");
}

#[test]
fn a_unit_that_is_not_known_never_clears() {
    for (values, unit) in
        [((|i| flat(i) * 1024) as fn(usize) -> usize, "bytes"), (flat, "KiB"), (|i| 90 + i % 2, "MiB")]
    {
        let text = format!("timestamp,rss\n{}", repeated(|i| format!("{},{}\n", EPOCH + SECONDS * i, values(i))));
        assert!(said(&text).contains("the unit of rss stands nowhere"), "{unit}: {}", said(&text));
        assert!(!said_of(&text, &format!("--unit {unit}")).contains("unit"), "{unit}");
    }
    // A leak of 94 MiB an hour in KiB is one of 94 KiB in bytes: it is asked, and not cleared.
    let text = format!("timestamp,memory\n{}", repeated(|i| format!("{},{}\n", EPOCH + SECONDS * i, 200_000 + kib(i))));
    assert!(said(&text).contains("the unit of memory stands nowhere"), "{}", said(&text));
    let text = text.replace("memory", "Memory (KB)");
    assert_eq!(said(&text), "CSV; -: leak of 94");
}

#[test]
fn what_a_file_does_not_say_is_asked_for() {
    let table = |head: &str, row: &dyn Fn(usize) -> String| format!("{head}\n{}", repeated(|i| row(i) + "\n"));
    let plain = table("time,rss_kib", &|i| format!("{},{}", SECONDS * i, kib(i)));
    assert_eq!(said(&plain), "time may be in seconds or in milliseconds: say it by --time-unit s or --time-unit ms");
    assert_eq!(said_of(&plain, "--time-unit 1"), "CSV; -: leak of 94");
    let mixed = table("timestamp,what,rss_kib", &|i| {
        format!("{t},a,{}\n{t},b,{}", kib(i), flat(i) / 2, t = EPOCH + SECONDS * i)
    });
    assert!(said(&mixed).starts_with("line 3: the same moment again with other memory"), "{}", said(&mixed));
    assert_eq!(said_of(&mixed, "--columns series=what"), "CSV; a: leak of 94; b: stable");
    let put_back = table("timestamp,rss_kib", &|i| {
        let minutes = i + if i < 60 { 120 } else { 60 };
        format!("2026-10-25 {:02}:{:02}:00,{}", minutes / 60, minutes % 60, kib(i))
    });
    assert!(said(&put_back).starts_with("line 62: the clock goes back"), "{}", said(&put_back));
    if jiff::tz::TimeZone::get("Europe/Berlin").is_ok() {
        assert_eq!(said_of(&put_back, "--zone Europe/Berlin"), "CSV; -: leak of 23");
    }
    assert!(said_of(&put_back, "--zone Nowhere/Town").contains("not a time zone"));
    assert!(said("time,mem_percent\n1790000000,3%\n").contains("names no column rss_bytes"));
}

#[test]
fn tables_in_other_forms_are_read() {
    let comma = |i: usize| format!("{},{:03}", kib(i) / 1024, kib(i) % 1024 * 1000 / 1024);
    let local = |i: usize| format!("{:02}.11.2026 {}", if i < 80 { 2 } else { 3 }, clock(i));
    let european = format!("Time;RSS (MB)\n{}", repeated(|i| format!("{};{}\n", local(i), comma(i))));
    assert_eq!(said(&european), "CSV separated by semicolons; -: leak of 94");
    let split = format!(
        "date\ttime\trss kB\n{}",
        repeated(|i| format!("2026/11/0{}\t{}\t{}\n", if i < 80 { 2 } else { 3 }, clock(i), kib(i)))
    );
    assert_eq!(said(&split), "a table separated by tabs; -: leak of 94");
    let newest: String = (0..READINGS).rev().map(|i| format!("{},{}\r\n", EPOCH + SECONDS * i, kib(i))).collect();
    assert_eq!(said(&format!("timestamp,rss_kib\r\n{newest}")), "CSV; -: leak of 94");
    let records = repeated(|i| {
        format!(
            "{{\"ts\":\"2026-11-0{}T{}.123Z\",\"memory\":{{\"rss_kib\":{}}},\"level\":30}}\n",
            if i < 80 { 2 } else { 3 },
            clock(i),
            kib(i)
        )
    });
    assert_eq!(said(&records), "JSON lines; -: leak of 94");
    let rate = format!(
        "timestamp,rss_kib,rps\n{}",
        repeated(|i| format!("{},{},{}\n", EPOCH + SECONDS * i, kib(i), 50 + i % 3))
    );
    let read = read(&rate, &Options::default()).expect("a series");
    let growth = read.recordings[0].judged(&Materiality::default(), fit).growth.expect("growth");
    assert!((growth.rate.get() - 51.0).abs() < 0.5, "{}", growth.rate);
}

#[test]
fn lives_are_told_apart_and_judged_together() {
    let log = |length: usize, memory: fn(usize) -> usize| {
        let row = |i: usize| format!("{},web,{},{}\n", EPOCH + SECONDS * i, 100 + i / length, memory(i % length));
        format!("timestamp,name,pid,rss_kib\n{}", (0..480).map(row).collect::<String>())
    };
    assert_eq!(said(&log(240, kib)), "CSV; web: leak of 94");
    assert_eq!(said(&log(240, flat)), "CSV; web: stable");
    // None of them is long enough by itself.
    assert_eq!(said(&log(30, kib)), "CSV; web: leak of 94");
    assert_eq!(said(&log(30, flat)), "CSV; web: inconclusive");
    let warm_up = |i: usize| 90_000 + (40_000.0 * (1.0 - (-(i as f64) / 8.0).exp())) as usize;
    assert_eq!(said(&log(30, warm_up)), "CSV; web: inconclusive");
    let row = |i: usize| format!("{},{}\n", EPOCH + SECONDS * i, kib(i % 160));
    let unnamed = format!("timestamp,rss_kib\n{}", (0..480).map(row).collect::<String>());
    assert_eq!(said(&unnamed), "CSV; -: inconclusive");
    assert_eq!(said_of(&unnamed, "--restarts"), "CSV; -: leak of 94");
}

#[test]
fn few_readings_far_apart_are_judged_by_their_length() {
    let table = |count: usize, seconds: usize, memory: &dyn Fn(usize) -> usize| {
        let rows: String = (0..count).map(|i| format!("{},{}\n", i * seconds, memory(i))).collect();
        format!("t_s,rss_kib\n{rows}")
    };
    assert_eq!(said(&table(42, 14_400, &|i| 200_000 + 13_000 * i + i * 7919 % 4001)), "CSV; -: leak of 3");
    let night = |i: usize| 60_000 + 200 * i.min(20) + i * 7919 % 17;
    assert_eq!(said(&table(60, 900, &night)), "CSV; -: plateau");
    let few = read(&table(20, 3600, &|i| 90_000 + 400 * i), &Options::default()).expect("a series");
    let judgement = few.recordings[0].judged(&Materiality::default(), fit);
    let wanted = "too few readings: 20 over 19h, and 40 are needed: a reading every 28m 30s would have been enough";
    assert_eq!((judgement.verdict, judgement.reason.as_str()), (Verdict::Inconclusive, wanted));
    assert_eq!(judgement.need, Some(Duration::from_hours(40)));
}

#[test]
fn broken_texts_are_refused_in_a_sentence_with_their_line() {
    for (text, wanted) in [
        ("", "the file is empty"),
        ("\u{feff}\n \n", "the file is empty"),
        ("t_s,rss_bytes\r\n0,1000000\r\n1,oops\r\n", "line 3: \"oops\" is not a number"),
        ("t_s,rss_bytes\n0,1000000\n1,NaN\n", "line 3: \"NaN\": reading 2 is not a possible number"),
        ("t_s,rss_bytes\n0,1000000\n1,-5\n", "line 3: -5 bytes are less than nothing"),
        ("t_s,rss_bytes\n0,1000000\n5,1000000\n3,1000000\n", "line 4: time goes backwards at reading 3"),
        ("t_s,rss_bytes\n0,75000\n", "memory is never above 73.2 KiB"),
        ("t_s,rss_mib\n0,\"1,234\"\n", "line 2: \"1,234\" is a thousand or a fraction"),
        ("t_s,rss_bytes\n2026-11-02T08:00:00Z,1000000\n1,1000000\n", "line 3: \"1\" is not a moment"),
        ("{\"a\":1}\n{\"a\":\n", "line 2: this is not whole JSON"),
        ("a,b\n1,2\n", "the first line names no column t_s or seconds or time_s; it has a, b"),
        ("\u{0}\u{0}\u{0}", "the first line names no column"),
    ] {
        let said = said(text);
        assert!(said.starts_with(wanted), "{text:?}: {said}");
    }
    assert_eq!(said("t_s,rss_bytes\n"), "CSV; -: inconclusive");
}
