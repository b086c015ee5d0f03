//! Names the build after what cargo says of it: the profile, and what the environment changes. `paired` and `ipc` write that name into their JSON,
//! with how the program panics, which no build script is told; `paired report` tells builds apart by it.

use std::env;
use std::path::Path;

/// Settings of a profile that change the code, as cargo reads them from the environment.
const SETTINGS: [&str; 6] = ["OPT_LEVEL", "LTO", "CODEGEN_UNITS", "PANIC", "DEBUG_ASSERTIONS", "OVERFLOW_CHECKS"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").unwrap_or_default();
    // Cargo tells of a profile only which built-in one it inherits; its folder has its own name: `<profile>/build/<package>/out`.
    let profile = Path::new(&out).ancestors().find(|folder| folder.ends_with("build")).and_then(Path::parent);
    let profile = profile.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("unknown profile");
    let mut name = profile.to_owned();
    let mut of = vec!["RELEASE".to_owned(), profile.to_uppercase().replace('-', "_")];
    of.dedup();
    for variable in of.iter().flat_map(|of| SETTINGS.map(|setting| format!("CARGO_PROFILE_{of}_{setting}"))) {
        println!("cargo:rerun-if-env-changed={variable}");
        if let Ok(value) = env::var(&variable) {
            name.push_str(&format!(", {variable}={value}"));
        }
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\x1f', " ");
    if !flags.is_empty() {
        name.push_str(&format!(", {flags}"));
    }
    println!("cargo:rustc-env=RINGMAIL_BUILD={name}");
}
