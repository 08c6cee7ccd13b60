//! Compiles the library that is preloaded, with the compiler that compiles everything else, so that `cargo install` has
//! it. It is a file of its own and not a dependency, because cargo cannot yet put one crate's library into another.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for file in ["preload", "src/layout.rs", "src/gaps.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("libsteep_live.so");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let is_glibc = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_known = ["x86_64", "aarch64"].contains(&variable("CARGO_CFG_TARGET_ARCH").as_str());
    if is_glibc && is_known {
        compile(&out, &variable("TARGET"));
    } else {
        // Elsewhere there is none, and steep says so where one is wanted.
        std::fs::write(&out, []).expect("OUT_DIR can be written");
    }
}

/// Optimised in every profile: it runs inside of what is measured.
fn compile(out: &Path, target: &str) {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let mut command = Command::new(rustc);
    command.args(["--crate-name", "steep_live", "--crate-type", "cdylib", "--edition", "2024"]);
    command.args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "codegen-units=1", "-C", "strip=symbols"]);
    // Nothing may be left to be found when it is loaded, so that what is missing is seen here.
    command.args(["-C", "link-arg=-Wl,-z,defs"]);
    // A program that was linked against it finds the one that is preloaded.
    command.args(["-C", "link-arg=-Wl,-soname,libsteep_live.so"]);
    command.args(["--deny", "warnings", "--target", target, "-o"]).arg(out).arg("preload/preload.rs");
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        command.arg("-C").arg([std::ffi::OsStr::new("linker="), &linker].into_iter().collect::<std::ffi::OsString>());
    }
    let status = command.status().expect("rustc starts, as it did for this build script");
    assert!(status.success(), "rustc could not compile preload/preload.rs: {status}");
}
