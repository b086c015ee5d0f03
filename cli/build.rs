//! Records the compiler's version and the build profile, so that every report can name them.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    if let Some(version) = version {
        println!("cargo:rustc-env=RINGMAIL_RUSTC={}", version.trim());
    }
    if let Ok(profile) = std::env::var("PROFILE") {
        println!("cargo:rustc-env=RINGMAIL_PROFILE={profile}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
