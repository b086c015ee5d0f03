//! A configuration that every thread reads at its newest: reading costs a copy, never a lock, and no reader delays the writer.
//!
//! ```text
//! cargo run --release --features lossy --example configuration
//! ```
//!
//! Workers ask for the newest configuration before each job. A watcher sleeps until it changes. Checked: each configuration that was seen is whole, no
//! reader ever goes back to an older one, and all end with the last.

#[cfg(not(feature = "lossy"))]
fn main() {
    println!("run it with --features lossy");
}

#[cfg(feature = "lossy")]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    configuration::run()
}

#[cfg(feature = "lossy")]
mod configuration {
    use ringmail::broadcast::lossy;
    use std::thread;
    use std::time::Duration;

    const VERSIONS: u64 = 200;
    const WORKERS: usize = 3;

    /// Plain data without padding.
    #[derive(Clone, Copy, PartialEq, Debug, zerocopy::IntoBytes, zerocopy::Immutable)]
    #[repr(C)]
    struct Configuration {
        version: u64,
        limits: [u64; 16],
    }

    impl Configuration {
        fn new(version: u64) -> Self {
            Self { version, limits: std::array::from_fn(|at| version * 100 + at as u64) }
        }

        /// Whether all of it is of one version.
        fn is_whole(&self) -> bool {
            *self == Self::new(self.version)
        }
    }

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // Readers that copy while the writer goes on need a few old ones to be kept.
        let (mut writer, reader) = lossy::channel(64)?;
        writer.send(Configuration::new(0));

        thread::scope(|threads| {
            let workers: [_; WORKERS] = std::array::from_fn(|_| {
                let reader = reader.clone();
                threads.spawn(move || {
                    let (mut jobs, mut version) = (0_u64, 0);
                    while version != VERSIONS {
                        let (_, now) = reader.latest().expect("one was sent before the threads began");
                        assert!(now.is_whole() && now.version >= version);
                        (jobs, version) = (jobs + 1, now.version);
                    }
                    jobs
                })
            });
            let mut watcher = reader;
            let watcher = threads.spawn(move || {
                let (mut changes, mut version) = (0, 0);
                while let Ok((_, now)) = watcher.changed() {
                    assert!(now.is_whole() && now.version >= version);
                    (changes, version) = (changes + 1, now.version);
                }
                (changes, version)
            });

            for version in 1..=VERSIONS {
                writer.send(Configuration::new(version));
                thread::sleep(Duration::from_micros(200));
            }
            drop(writer);

            let (changes, last) = watcher.join().expect("it does not panic");
            assert_eq!(last, VERSIONS);
            println!("the watcher was told of {changes} changes");
            for worker in workers {
                println!("a worker looked {} times", worker.join().expect("it does not panic"));
            }
        });
        Ok(())
    }
}
