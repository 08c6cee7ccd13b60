//! Programs that nobody here wrote, as they come from their packages: they print the same and end the same with the
//! library in them as without. A program that is not on the machine is said to be NOT RUN.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use steep_live::{Counts, FOLDER_VARIABLE, LIBRARY, SAMPLE_EVERY_VARIABLE, TIMES_VARIABLE, layout};
use tempfile::TempDir;

/// A place where each run has a folder of its own.
struct Place {
    folder: TempDir,
    library: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let library = folder.path().join("libsteep_live.so");
        fs::write(&library, LIBRARY).expect("a file");
        fs::create_dir(folder.path().join("live")).expect("a folder");
        Self { folder, library }
    }

    fn live(&self) -> PathBuf {
        self.folder.path().join("live")
    }

    /// What `script` prints and how it ends in a folder of its own, bounded in time.
    fn run(&self, script: &str, with: bool) -> Output {
        let work = self.folder.path().join(if with { "with" } else { "without" });
        fs::create_dir(&work).expect("a folder");
        let mut command = Command::new("timeout");
        command.args(["120", "bash", "-c", script]).current_dir(work).stdin(Stdio::null());
        if with {
            command
                .env("LD_PRELOAD", &self.library)
                .env(FOLDER_VARIABLE, self.live())
                .env(SAMPLE_EVERY_VARIABLE, "4096")
                .env(TIMES_VARIABLE, "1");
        }
        command.output().expect("bash")
    }

    /// What the library counted, of each process.
    fn counts(&self) -> Vec<Counts> {
        let files = fs::read_dir(self.live()).expect("the folder").flatten();
        let read = |file: fs::DirEntry| Counts::read(&fs::read(file.path()).expect("a file")).expect("of the library");
        files.map(read).collect()
    }
}

fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    program.starts_with('/') && Path::new(program).exists()
        || std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Whether all of `programs` are on this machine; said to whoever runs the tests where they are not, past what captures
/// their output.
fn can_run(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let message = format!("\nNOT RUN: {test}: not on this machine: {}\n", missing.join(", "));
    io::stderr().write_all(message.as_bytes()).expect("stderr");
    false
}

/// That `script` does the same with the library and without, and that the library counted in it.
fn assert_unchanged(programs: &[&str], script: &str) {
    if !can_run(&["timeout", "bash"]) || !can_run(programs) {
        return;
    }
    let place = Place::new();
    let (without, with) = (place.run(script, false), place.run(script, true));
    let said = |output: &Output| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status, text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(said(&with), said(&without));
    assert!(with.status.success(), "the script itself: {with:?}");
    let counts = place.counts();
    assert!(counts.iter().any(|counts| counts.live_objects() > 0), "{counts:?}");
    assert!(counts.iter().all(|counts| counts.flags & layout::NO_UNWINDER == 0), "{counts:?}");
}

#[test]
fn pipelines_of_bash_run_unchanged() {
    assert_unchanged(
        &[],
        "for i in 1 2 3; do echo $i | cat | tr 1-3 a-c | sort | uniq -c; done
         seq 1 500 | xargs -n 10 -P 4 echo | wc -w; (exit 7); echo $?; diff <(seq 3) <(seq 4); true",
    );
}

#[test]
fn git_runs_unchanged() {
    assert_unchanged(
        &["git"],
        "git init -q . && git config user.email a@b && git config user.name a && git config gc.auto 0
         export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
         for i in 1 2 3; do seq $((i * 1000)) > file$i; git add . ; git commit -q -m $i; done
         git repack -adq && git fsck --no-progress && git log --stat --format=%H && git grep -c 99",
    );
}

#[test]
fn redis_runs_unchanged() {
    assert_unchanged(
        &["redis-server", "redis-cli"],
        "redis-server --port 0 --unixsocket $PWD/s --save '' --daemonize no --logfile log --dir . & 
         ask() { redis-cli -s s \"$@\"; }
         for i in $(seq 100); do ask ping > /dev/null 2>&1 && break; sleep 0.1; done
         for i in $(seq 50); do echo \"set key:$i $i\"; echo \"rpush list $i$i$i\"; done | ask > /dev/null
         ask dbsize; ask get key:42; ask lrange list 40 45; ask save; ask shutdown nosave; wait; echo $?",
    );
}

#[test]
fn nginx_runs_unchanged() {
    assert_unchanged(
        &["nginx", "curl"],
        "printf 'daemon off; master_process on; worker_processes 2; pid %s/pid; error_log %s/err; events {}
         http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
         scgi_temp_path c; server { listen unix:%s/s; gzip on; gzip_min_length 1; gzip_types text/plain; default_type text/plain;
         location / { root %s; } } }' $PWD $PWD $PWD $PWD > conf
         seq 5000 > page; chmod a+rx . ; chmod a+rX .. 2>/dev/null
         nginx -p $PWD -c $PWD/conf -e $PWD/err & server=$!
         for i in $(seq 100); do [ -S s ] && break; sleep 0.1; done
         for i in $(seq 20); do curl -s --compressed --unix-socket s http://a/page | cksum; done
         kill -HUP $server; kill -QUIT $server; wait $server; echo $?",
    );
}

#[test]
fn python_runs_unchanged_with_64_threads_forks_and_signals() {
    assert_unchanged(
        &["python3"],
        "exec python3 - <<'END'
import os, signal, threading, json
heard = 0
def hear(number, frame):
    global heard
    heard += 1
signal.signal(signal.SIGALRM, hear)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
stop = threading.Event()
kept = [0] * 64
def work(which):
    while not stop.is_set():
        kept[which] = [bytes(1000 + n) for n in range(50)]
        stop.wait(0.002)
threads = [threading.Thread(target=work, args=(which,)) for which in range(64)]
[thread.start() for thread in threads]
ends = []
for child in range(40):
    pid = os.fork()
    if pid == 0:
        text = json.dumps([bytes(600).hex() for _ in range(100)])
        os._exit(len(text) % 251)
    ends.append(os.waitpid(pid, 0)[1])
stop.set()
[thread.join() for thread in threads]
signal.setitimer(signal.ITIMER_REAL, 0)
print(sorted(set(ends)), len(ends), heard > 10)
END",
    );
}

#[test]
fn flask_runs_unchanged() {
    if can_run(&["python3"]) && !imports("flask") {
        return;
    }
    assert_unchanged(
        &["python3"],
        "exec python3 - <<'END'
import flask, threading
app = flask.Flask('shop')
@app.get('/items/<int:number>')
def item(number):
    return {'number': number, 'text': 'x' * number}
def ask(first):
    client = app.test_client()
    for number in range(first, first + 100):
        assert client.get(f'/items/{number}').json['number'] == number
threads = [threading.Thread(target=ask, args=(100 * n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(app.test_client().get('/items/7').data)
END",
    );
}

#[test]
fn aiohttp_runs_unchanged() {
    if can_run(&["python3"]) && !imports("aiohttp") {
        return;
    }
    assert_unchanged(
        &["python3"],
        "exec python3 - <<'END'
import asyncio, aiohttp
from aiohttp import web
async def echo(request):
    return web.Response(body=await request.read())
async def main():
    app = web.Application(); app.router.add_post('/', echo)
    runner = web.AppRunner(app); await runner.setup()
    await web.UnixSite(runner, 's').start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector('s')) as session:
        async def ask(n):
            async with session.post('http://a/', data=b'y' * n) as answer:
                return len(await answer.read())
        print(sum(await asyncio.gather(*[ask(n) for n in range(500)])))
    await runner.cleanup()
asyncio.run(main())
END",
    );
}

/// Whether Python has a package.
fn imports(package: &str) -> bool {
    let status = Command::new("python3").args(["-c", &format!("import {package}")]).stderr(Stdio::null()).status();
    let is_there = status.is_ok_and(|status| status.success());
    let missing = format!("the package {package} of Python");
    is_there || can_run(&[&missing])
}

#[test]
fn node_runs_unchanged_with_workers_and_buffers() {
    assert_unchanged(
        &["node"],
        "exec node -e '
const { Worker } = require(\"worker_threads\"), zlib = require(\"zlib\"), http = require(\"http\");
const kept = []; for (let i = 0; i < 2e4; i++) kept.push({ i, b: Buffer.alloc(200) });
const code = `const c = require(\"crypto\"); require(\"worker_threads\").parentPort.postMessage(c.createHash(\"sha256\").update(\"x\".repeat(1e6)).digest(\"hex\"))`;
const one = () => new Promise(done => new Worker(code, { eval: true }).on(\"message\", done));
const server = http.createServer((q, r) => r.end(zlib.gzipSync(\"y\".repeat(1e5)))).listen(\"s\", async () => {
  const ask = () => new Promise(done => http.get({ socketPath: \"s\", path: \"/\" }, r => { let n = 0; r.on(\"data\", d => n += d.length).on(\"end\", () => done(n)); }));
  const sizes = []; for (let i = 0; i < 50; i++) sizes.push(await ask());
  console.log(kept.length, new Set(sizes).size, ...new Set(await Promise.all([1, 2, 3, 4].map(one))));
  server.close(); server.closeAllConnections();
});'",
    );
}

#[test]
fn a_jvm_runs_unchanged() {
    assert_unchanged(
        &["java"],
        "cat > Shop.java <<'END'
import java.util.*;
public class Shop {
    public static void main(String[] words) throws Exception {
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 2000; i++) kept.add(new byte[10000]);
        Thread[] threads = new Thread[64];
        for (int i = 0; i < 64; i++) {
            threads[i] = new Thread(() -> { StringBuilder text = new StringBuilder(); for (int j = 0; j < 5000; j++) text.append(j); });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println(kept.size() + \" \" + java.nio.ByteBuffer.allocateDirect(1 << 20).capacity());
    }
}
END
exec java -Xmx256m Shop.java",
    );
}

#[test]
fn postgres_runs_unchanged() {
    let programs = "$(ls -d /usr/lib/postgresql/*/bin | tail -1)";
    let found = Command::new("bash").args(["-c", &format!("test -x {programs}/postgres")]).status();
    let missing = "/usr/lib/postgresql/*/bin/postgres, or root to start it by another user";
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !(found.is_ok_and(|status| status.success()) && is_root && is_there("setpriv")) {
        can_run(&[missing]);
        return;
    }
    // It refuses to run as root. Its folders and the library's must be open to its user.
    assert_unchanged(
        &["setpriv"],
        &format!(
            "export PATH={programs}:$PATH PGUSER=nobody; chmod a+rx $PWD/..; chmod a+rwx $PWD/../live; chmod a+rx $PWD/../*.so
             folder=$(mktemp -d); chown nobody $folder; cd $folder
             as() {{ setpriv --reuid nobody --clear-groups \"$@\"; }}
             as initdb -D d -A trust > log 2>&1; echo $?
             as pg_ctl -D d -o \"-h '' -k $folder\" -w start > /dev/null 2>&1; echo $?
             as psql -h $folder -d postgres -Atc 'create table t as select i, md5(i::text) m from generate_series(1,50000) i;
               create index on t(m); select count(*), max(m) from t; select sum(length(m)) from (select m from t order by m) x'
             as pg_ctl -D d -m fast -w stop > /dev/null 2>&1; echo $?; rm -rf $folder"
        ),
    );
}

#[test]
fn a_program_that_may_only_read_and_write_counts_on() {
    // Strict seccomp: any other call of the kernel ends it, as one of the library's would.
    assert_unchanged(
        &["python3"],
        "python3 -c '
import ctypes, platform
libc = ctypes.CDLL(None)
block = libc.malloc; block.restype = ctypes.c_void_p
free = libc.free; free.argtypes = [ctypes.c_void_p]
for n in range(1000): free(block(500))
leave, said = 60 if platform.machine() == \"x86_64\" else 93, b\"alive\\n\"
libc.prctl(22, 1, 0, 0, 0)
for n in range(2000): free(block(500))
libc.write(1, said, 6)
libc.syscall(leave, 0)
'; echo $?",
    );
}
